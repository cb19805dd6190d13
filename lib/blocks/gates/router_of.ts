/** A gate from two plain functions. @module */
import { anything, aText, expect, record } from "../../arguments/mod.ts";
import { placeChoices } from "../../kernels/mod.ts";
import { repeatedChoice } from "../../routing/repeated.ts";
import type { Gate, GateContext } from "./types.ts";
import { type Kernel, SchemoeError } from "../../types.ts";
import { linearLogits } from "./linear_logits.ts";
import { checkCount } from "./options.ts";
import { failGate } from "./routed.ts";
import { callUser } from "../../user_code.ts";
import { quoted } from "../../words.ts";

const ROUTER_OF_ROUTER = record("a router { name, k, route, grad }", {
  name: aText,
  k: anything,
  route: anything,
  grad: anything,
});

/** Sizes and arrays of a rank that a router in JavaScript sees. */
export interface RouterInput {
  /** Rank whose tokens are routed. */
  readonly rank: number;
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Routed experts. */
  readonly experts: number;
  /** Places for choices of a token. */
  readonly k: number;
  /** [tokens, experts]. */
  readonly logits: Float32Array;
}

/** Its decisions, [tokens, k] each; a choice of -1 goes nowhere. */
export interface RouterChoice {
  /** Expert of each choice, -1 for none, [tokens, k]; those of a token differ. */
  readonly choices: Int32Array;
  /** Weight of each choice, likewise; finite where there is an expert. */
  readonly weights: Float32Array;
}

/** A router of one's own. */
export interface Router {
  /** What captions and errors call it. */
  readonly name: string;
  /** Most experts of a token. */
  readonly k: number;
  /** Whether a weight multiplies the output of its expert (default) or the input. */
  readonly weighs?: "output" | "input";
  /** From logits to choices and weights. */
  route(input: RouterInput): RouterChoice;
  /** From the gradient of the weights [tokens, k] to that of the logits [tokens, experts]. */
  grad(input: RouterInput & RouterChoice & { readonly dWeights: Float32Array }): Float32Array;
}

/**
 * A gate whose choice is made in JavaScript, while other lanes go on: logits are tokens times a trained weight, as
 * for `topK`; places and everything after them are the same.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { routerOf } from "@schemoe/lab/blocks";
 * using engine = openEngine({ nodes: 1, ranksPerNode: 2 });
 * const first = routerOf({
 *   name: "first",
 *   k: 1,
 *   route: ({ tokens }) => ({ choices: new Int32Array(tokens), weights: new Float32Array(tokens).fill(1) }),
 *   grad: ({ tokens, experts }) => new Float32Array(tokens * experts),
 * });
 * const routing = { capacityFactor: 0 };
 * using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2, gate: first, routing });
 * console.assert((await layer.forward()).makespan > 0);
 * ```
 * What the functions give is checked in each pass, on every engine that computes: linear in choices, beside a call
 * into JavaScript. Negative weights are allowed.
 *
 * @throws {SchemoeError} when a function is missing, and in a pass when it gives arrays of another size, an expert
 * that does not exist or twice the same for a token, and weights or gradients that are not finite where logits are.
 */
export function routerOf(router: Router): Gate {
  expect("routerOf", "router", router, ROUTER_OF_ROUTER);
  const { name, k, weighs = "output" } = router;
  for (const part of ["route", "grad"] as const) {
    if (typeof router[part] !== "function") failGate(name, `it has no function "${part}"`);
  }
  checkCount(name, "k", k);
  const logits = linearLogits();
  return {
    name,
    k,
    weighs,
    partial: true,
    tensors: logits.tensors,
    flops: logits.flops,
    forward: (c) => [
      ...logits.forward(c),
      choice(c, router),
      placeChoices({ ...c, k: c.topK }, c, { ...c, scores: c.logits }),
    ],
    backward: (c) => [choiceGrad(c, router), ...logits.backward(c)],
  };
}

const WORD = 4;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function choice(c: GateContext, router: Router): Kernel {
  const count = c.tokens * c.topK;
  return c.host(({ rank, read, write }) => {
    const logits = new Float32Array(read(c.logits, WORD * c.tokens * c.rows).buffer);
    const { tokens, experts, topK: k } = c;
    const routed = callUser(
      `the gate "${router.name}"`,
      "route",
      () => router.route({ rank, tokens, experts, k, logits }),
    );
    if (Object(routed) !== routed || routed instanceof Promise) {
      failRoute(router, `route must give { choices, weights }, got ${quoted(routed)}`);
    }
    const { choices, weights } = routed;
    checkArray(router, "choices", choices, Int32Array, count);
    checkArray(router, "weights", weights, Float32Array, count);
    checkChoices(router, choices, { k, rank, rows: c.rows });
    checkWeights(router, { choices, weights, logits }, { k, rank, rows: c.rows });
    write(c.choices, bytesOf(choices));
    write(c.weights, bytesOf(weights));
  });
}

function choiceGrad(c: GateContext, router: Router): Kernel {
  const count = c.tokens * c.topK;
  return c.host(({ rank, read, write }) => {
    const floats = (view: GateContext["x"], length: number) =>
      new Float32Array(read(view, WORD * length).buffer);
    const { tokens, experts, topK: k } = c;
    const input = {
      rank,
      tokens,
      experts,
      k,
      logits: floats(c.logits, tokens * c.rows),
      choices: new Int32Array(read(c.choices, WORD * count).buffer),
      weights: floats(c.weights, count),
      dWeights: floats(c.dWeights, count),
    };
    const gradient = callUser(`the gate "${router.name}"`, "grad", () => router.grad(input));
    checkArray(router, "the gradient of the logits", gradient, Float32Array, tokens * c.rows);
    checkGradient(router, gradient, { ...input, rows: c.rows });
    write(c.dLogits, bytesOf(gradient));
  });
}

/** Ends a pass for what one of the router's functions gave. */
function failRoute({ name }: Router, problem: string): never {
  throw new SchemoeError(`Cannot route with the gate ${name}: ${problem}`);
}

/** @throws {SchemoeError} naming the first choice that is no expert, or the second of the same one. */
function checkChoices(
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
function checkWeights(
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
function checkGradient(
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

function checkArray(
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
