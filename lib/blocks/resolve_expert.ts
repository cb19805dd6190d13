/** The expert of a layer, by value or by name. @module */
import { checkExpert, type ExpertLayer } from "./experts/check.ts";
import * as experts from "./experts/mod.ts";
import type { Expert } from "./experts/types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";

/** Experts that need no options. */
const NAMED = new Map(
  Object.entries(experts).flatMap(([name, make]) =>
    make.length === 0 ? [[name, make as () => Expert] as const] : []
  ),
);

/** Names of the experts that need no options. */
export const EXPERTS: readonly string[] = [...NAMED.keys()];

/** The built-in expert of a name, made without options; absent for any other name. */
export const expertByName = (name: string): Expert | undefined => NAMED.get(name)?.();

/**
 * Looks up an expert by name and checks it for a layer.
 * @throws {SchemoeError} for an unknown name, and naming what is wrong with a value.
 */
export function resolveExpert(given: Expert | string, layer: ExpertLayer): Expert {
  const expert = typeof given === "string" ? named(given) : given;
  checkExpert(expert, layer);
  return expert;
}

function named(name: string): Expert {
  const expert = expertByName(name);
  if (expert) return expert;
  const other = Object.hasOwn(experts, name)
    ? `the expert "${name}" is made with options; call it, and give what it returns`
    : `unknown expert "${name}", choose one of ${EXPERTS.join(", ")}, or give a value of your own` +
      didYouMean(name, EXPERTS);
  throw new SchemoeError(`Cannot make the layer: ${other}`);
}
