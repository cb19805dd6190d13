/** A gate from two plain functions. @module */
import { anything, aText, expect, record } from "../../arguments/mod.ts";
import { fill, placeChoices, route, routeGrad, scoresCode } from "../../kernels/mod.ts";
import type { GateScores } from "../../kernels/types.ts";
import type { HostContext, Kernel, View } from "../../types.ts";
import { checkCount, logitsOption } from "./options.ts";
import { failGate } from "./routed.ts";
import {
  checkArray,
  checkChoices,
  checkGradient,
  checkWeights,
  failRoute,
} from "./router_checks.ts";
import type { Router } from "./router.ts";
import type { Gate, GateContext } from "./types.ts";
import { callUser } from "../../user_code.ts";
import { quoted } from "../../words.ts";

const ROUTER_OF_ROUTER = record("a router { name, k, route, grad }", {
  name: aText,
  k: anything,
  route: anything,
  grad: anything,
  logits: anything,
  scores: anything,
  update: anything,
});

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
  const { name, k, weighs = "output", scores, update } = router;
  for (const part of ["route", "grad"] as const) {
    if (typeof router[part] !== "function") failGate(name, `it has no function "${part}"`);
  }
  checkCount(name, "k", k);
  const logits = logitsOption(name, router);
  if (scores !== undefined) scoresCode(scores);
  for (const part of ["part", "apply"] as const) {
    if (update === undefined || typeof Object(update)[part] === "function") continue;
    failGate(
      name,
      `update must be a value such as signUpdate({ rate: 1e-3 }), got ${quoted(update)}`,
    );
  }
  return {
    name,
    k,
    weighs,
    partial: true,
    ...(scores === undefined ? {} : { scores }),
    ...(update === undefined ? {} : { update }),
    tensors: (shape) => [
      ...logits.tensors(shape),
      ...(update ? [{ name: BIAS, shape: [shape.rows], life: "state" } as const] : []),
      ...(scores ? [{ name: NO_WEIGHTS, shape: [shape.tokens, k], life: "pass" } as const] : []),
    ],
    flops: logits.flops,
    forward: (c) => [
      ...logits.forward(c),
      ...(scores
        ? [route({ ...c, k: c.topK }, { scores, chosen: "nothing", normalize: false, scale: 1 }, c)]
        : []),
      choice(c, router),
      placeChoices({ ...c, k: c.topK }, c, { ...c, scores: scores ? c.scores : c.logits }),
    ],
    backward: (c) => [
      ...(scores ? ofLosses(c, scores) : []),
      choiceGrad(c, router),
      ...logits.backward(c),
    ],
  };
}

const WORD = 4;
const BIAS = "selectionBias";
const NO_WEIGHTS = "noWeights";

/** Whether the losses of the layer have gradients of scores or logits, to which the router's is added. */
const ofScores = ({ slopes: { balance, zWeight } }: GateContext): boolean =>
  balance !== undefined || zWeight !== 0;

/** Gradient of the logits from losses on scores and logits alone: that of no weights. */
function ofLosses(c: GateContext, scores: GateScores): Kernel[] {
  if (!ofScores(c)) return [];
  const dWeights = c.tensor(NO_WEIGHTS);
  const { balance, zWeight } = c.slopes;
  return [
    fill(c.tokens * c.topK, dWeights, 0),
    routeGrad(
      { ...c, k: c.topK },
      { ...{ scores, normalize: false, scale: 1 }, zWeight },
      { ...c, dWeights, ...(balance ? { balance } : {}) },
    ),
  ];
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What both functions of a router are given. */
function inputOf(c: GateContext, { update }: Router, { rank, read }: HostContext) {
  const floats = (view: View, length: number) => new Float32Array(read(view, WORD * length).buffer);
  const { tokens, experts, topK: k, rows } = c;
  const logits = floats(c.logits, tokens * rows);
  const given = { rank, tokens, experts, k, logits };
  return {
    floats,
    input: update ? { ...given, [BIAS]: floats(c.tensor(BIAS), rows) } : given,
  };
}

function choice(c: GateContext, router: Router): Kernel {
  const count = c.tokens * c.topK;
  return c.host((at) => {
    const { input } = inputOf(c, router, at);
    const { rank, k, logits } = input;
    const routed = callUser(`the gate "${router.name}"`, "route", () => router.route(input));
    if (Object(routed) !== routed || routed instanceof Promise) {
      failRoute(router, `route must give { choices, weights }, got ${quoted(routed)}`);
    }
    const { choices, weights } = routed;
    checkArray(router, "choices", choices, Int32Array, count);
    checkArray(router, "weights", weights, Float32Array, count);
    checkChoices(router, choices, { k, rank, rows: c.rows });
    checkWeights(router, { choices, weights, logits }, { k, rank, rows: c.rows });
    at.write(c.choices, bytesOf(choices));
    at.write(c.weights, bytesOf(weights));
  });
}

function choiceGrad(c: GateContext, router: Router): Kernel {
  const { tokens, rows } = c;
  const count = tokens * c.topK;
  return c.host((at) => {
    const { floats, input } = inputOf(c, router, at);
    const choices = new Int32Array(at.read(c.choices, WORD * count).buffer);
    const dWeights = floats(c.dWeights, count);
    const { importance } = c.slopes;
    if (importance) {
      const slopes = floats(importance, rows);
      choices.forEach((expert, i) => expert < 0 || (dWeights[i] += slopes[expert]));
    }
    const given = { ...input, choices, weights: floats(c.weights, count), dWeights };
    const gradient = callUser(`the gate "${router.name}"`, "grad", () => router.grad(given));
    checkArray(router, "the gradient of the logits", gradient, Float32Array, tokens * rows);
    checkGradient(router, gradient, { ...given, rows });
    if (!ofScores(c)) return at.write(c.dLogits, bytesOf(gradient));
    const others = floats(c.dLogits, tokens * rows);
    at.write(c.dLogits, bytesOf(gradient.map((value, i) => value + others[i])));
  });
}
