/** @module */
import { pickScoreGradient } from "./score_gradient.ts";
import type { Expert, ExpertShape } from "./types.ts";
import { SchemoeError } from "../../types.ts";
import { callUser } from "../../user_code.ts";
import { unawaited } from "../../words.ts";

/** Sizes that an expert must fit. */
export type ExpertLayer = ExpertShape & { readonly experts: number; readonly dtype?: string };

/**
 * Checks a user's expert as far as that goes before it runs: its functions, and what they say of
 * parameters, saved activations and floating-point operations.
 *
 * @throws {SchemoeError} naming the function and what is wrong with it.
 */
export function checkExpert(expert: Expert, layer: ExpertLayer): void {
  if (typeof expert !== "object" || expert === null) {
    const hint = typeof expert === "function" ? "; call it, as in ffn()" : "";
    throw new SchemoeError(
      `Cannot make the layer: expert must be an object, got ${typeof expert}${hint}`,
    );
  }
  const whose = `the expert "${expert.name}"`;
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot use ${whose}: ${problem}`);
  };
  for (const name of ["parameters", "saved", "forward", "flops"] as const) {
    if (typeof expert[name] !== "function") {
      fail(`it has no function "${name}"${unawaited(expert)}`);
    }
  }
  const { scoreGradient } = expert;
  if (scoreGradient !== undefined) {
    callUser(whose, "scoreGradient", () => pickScoreGradient(scoreGradient));
  }
  if (expert.check) callUser(whose, "check", () => expert.check!(layer));
  const parameters: unknown = callUser(whose, "parameters", () => expert.parameters(layer));
  if (!Array.isArray(parameters)) fail('"parameters" must return an array of names and shapes');
  namedOnce(parameters, "parameters", fail);
  for (const parameter of parameters) {
    const { name, shape } = Object(parameter);
    if (typeof name !== "string" || !Array.isArray(shape) || !shape.every(isSize)) {
      fail(
        `its parameter "${name}" has the shape [${shape}], an array of positive integers is needed`,
      );
    }
  }
  const saved: unknown = callUser(whose, "saved", () => expert.saved(layer));
  if (!Array.isArray(saved)) fail('"saved" must return an array of names and columns');
  namedOnce(saved, "saved", fail);
  for (const activation of saved) {
    const { name, columns } = Object(activation);
    if (typeof name !== "string" || !isSize(columns)) {
      fail(`it saves "${name}" with ${columns} columns, a positive integer is needed`);
    }
  }
  const flops = Object(callUser(whose, "flops", () => expert.flops(layer)));
  for (const name of ["forward", "inputGrad", "weightGrad"]) {
    const count = flops[name];
    if (name !== "forward" && !expert[name as "inputGrad"]) continue;
    if (!(typeof count === "number" && count >= 0 && count < Infinity)) {
      fail(`"flops" gives ${count} for ${name}, a number of at least 0 is needed`);
    }
  }
}

/** Buffers are told apart by these names. */
function namedOnce(
  list: readonly unknown[],
  what: string,
  fail: (problem: string) => never,
): void {
  const names = new Set<unknown>();
  for (const { name } of list.map(Object)) {
    if (name === "") fail(`"${what}" has an entry without a name`);
    if (names.has(name)) fail(`"${what}" has two entries called "${name}"`);
    names.add(name);
  }
}

const isSize = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
