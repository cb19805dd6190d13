/** Variables of the environment. @module */

/** A variable of the environment, or undefined where it is not set, empty or may not be read. */
export function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) || undefined : undefined;
}
