/** Built-in schedulers, all-to-alls and compressors by name. @module */
import * as allToAlls from "../alltoall/mod.ts";
import * as compressors from "../compressors/mod.ts";
import * as schedulers from "../schedulers/mod.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/** Names of the built-in values of a module that have a function `method`. */
function builtIns(module: object, method: string): string[] {
  return Object.entries(module).filter(([, value]) => typeof value?.[method] === "function").map((
    [name],
  ) => name);
}

const known = new WeakMap<object, ReadonlyMap<string, unknown>>();

/** What a module exports, by name; asking the module itself takes longer. */
function exportsOf(module: object): ReadonlyMap<string, unknown> {
  let found = known.get(module);
  if (!found) known.set(module, found = new Map(Object.entries(module)));
  return found;
}

/** Names of all built-in schedulers, all-to-alls and compressors. */
export const BUILT_IN: Readonly<
  Record<"scheduler" | "allToAll" | "compressor", readonly string[]>
> = {
  scheduler: builtIns(schedulers, "order"),
  allToAll: builtIns(allToAlls, "plan"),
  compressor: builtIns(compressors, "wireBytes"),
};

/**
 * A value, or the built-in one of a name.
 * @throws {SchemoeError} for an unknown name, and a value without the function or a name of its own.
 */
export function pick<T extends object>(
  what: string,
  module: object,
  value: T | string,
  method: string,
): T {
  if (typeof value !== "string") {
    if (typeof (value as Record<string, unknown>)?.[method] !== "function") {
      // a function's text would be its whole source
      const got = typeof value === "function"
        ? "a function; call it, if it makes one"
        : quoted(value);
      throw new SchemoeError(
        `Cannot use the ${what}: a value with a function "${method}" is needed, got ${got}`,
      );
    }
    const { name } = value as { name?: unknown };
    if (typeof name === "string" && name !== "") return value;
    throw new SchemoeError(
      `Cannot use the ${what}: it must have a name, by which runs are told apart, got ${
        quoted(name)
      }`,
    );
  }
  const found = exportsOf(module).get(value) as Record<string, unknown> | undefined;
  if (typeof found?.[method] === "function") return found as T;
  const names = builtIns(module, method);
  throw new SchemoeError(
    `Unknown ${what} "${value}": choose one of ${names.join(", ")}, or give a value of your own` +
      didYouMean(value, names),
  );
}
