/** What the functions of a router of one's own must give. @module */
import { repeatedChoice } from "../../routing/repeated.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import type { Router, RouterChoice, RouterInput } from "./router.ts";

/** Ends a pass for what one of the router's functions gave. */
export function failRoute({ name }: Router, problem: string): never {
  throw new SchemoeError(`Cannot route with the gate ${name}: ${problem}`);
}

/** @throws {SchemoeError} naming the first choice that is no expert, or the second of the same one. */
export function checkChoices(
  router: Router,
  choices: Int32Array,
  { k, rank, rows }: { readonly k: number; readonly rank: number; readonly rows: number },
): void {
  const odd = choices.findIndex((expert) => expert < -1 || expert >= rows);
  if (odd < 0) {
    const twice = repeatedChoice(choices, k);
    if (!twice) return;
    const { token, expert, choices: [first, second] } = twice;
    return failRoute(
      router,
      `choices ${first} and ${second} of token ${token} on rank ${rank} are both expert ${expert}; ` +
        "choose it once, with the sum of the weights, and fill up with -1",
    );
  }
  failRoute(
    router,
    `choice ${odd % k} of token ${Math.floor(odd / k)} on rank ${rank} is ${choices[odd]}, ` +
      `not an expert (0 to ${rows - 1}) or -1 for none`,
  );
}

/**
 * Whether the logits of a token are numbers. Where they are not, neither can be what comes of them: that passes on,
 * as it does in other gates (`checkNumbers: true` in a pass finds where it began).
 */
const known = (logits: Float32Array, token: number, rows: number) =>
  logits.subarray(token * rows, (token + 1) * rows).every(Number.isFinite);

/** @throws {SchemoeError} naming the first weight of an expert that is no number. */
export function checkWeights(
  router: Router,
  { choices, weights, logits }: RouterChoice & { readonly logits: Float32Array },
  { k, rank, rows }: { readonly k: number; readonly rank: number; readonly rows: number },
): void {
  for (let i = 0; i < weights.length; i++) {
    const token = Math.floor(i / k);
    // a weight of no expert is not used
    if (Number.isFinite(weights[i]) || choices[i] < 0 || !known(logits, token, rows)) continue;
    failRoute(
      router,
      `the weight of choice ${i % k}, expert ${choices[i]}, of token ${token} on rank ${rank} is ` +
        `${weights[i]}; weights must be finite, and the logits of the token are`,
    );
  }
}

/** @throws {SchemoeError} naming the first gradient of a logit that is no number. */
export function checkGradient(
  router: Router,
  gradient: Float32Array,
  input: Pick<RouterInput, "k" | "rank" | "logits"> & {
    readonly dWeights: Float32Array;
    readonly rows: number;
  },
): void {
  const { k, rank, rows, logits, dWeights } = input;
  const odd = gradient.findIndex((value, i) => {
    if (Number.isFinite(value)) return false;
    const token = Math.floor(i / rows);
    return known(logits, token, rows) && known(dWeights, token, k);
  });
  if (odd < 0) return;
  failRoute(
    router,
    `grad gives ${gradient[odd]} for expert ${odd % rows} of token ${Math.floor(odd / rows)} on ` +
      `rank ${rank}; gradients must be finite, and the logits and dWeights of the token are`,
  );
}

export function checkArray(
  router: Router,
  what: string,
  values: unknown,
  type: typeof Float32Array | typeof Int32Array,
  length: number,
): void {
  if (values instanceof type && values.length === length) return;
  const kind = type === Int32Array ? "an Int32Array" : "a Float32Array";
  failRoute(router, `${what} must be ${kind} of ${length}, got ${quoted(values)}`);
}
