import { SchemoeError } from "../types.ts";

/** Environment variable with the engine to open where none is named. */
export const ENGINE_VARIABLE = "SCHEMOE_ENGINE";

/** Engines that a notebook may be run on: they must compute values. */
export const DEFAULT_KINDS = ["cpu", "cuda"] as const;

/**
 * The engine that is opened where no `kind` is given: that of `SCHEMOE_ENGINE`, else `cpu`.
 *
 * @param value of the variable; undefined or empty when it is not set.
 * @throws {SchemoeError} for another name.
 */
export function defaultKind(value = variable(ENGINE_VARIABLE)): typeof DEFAULT_KINDS[number] {
  if (!value) return "cpu";
  const kind = DEFAULT_KINDS.find((known) => known === value);
  if (kind) return kind;
  throw new SchemoeError(
    `Cannot open the engine: ${ENGINE_VARIABLE} is "${value}", it must be one of ${
      DEFAULT_KINDS.join(", ")
    }`,
  );
}

/** A variable, or undefined where it may not be read; asking for one could prompt. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
