/** Calls of the kernels of a gate, with the bytes that each has to move. @module */
import {
  addNoise,
  balanceLoss,
  budgetBias,
  chooseTokens,
  chooseTopK,
  countChoices,
  gateGrad,
  importanceLoss,
  loadLoss,
  noiseGrad,
  placeChoices,
  positions,
  quantileBias,
  roundChoices,
  route,
  routeGrad,
  softmax,
  temper,
  zLoss,
} from "../../kernels/mod.ts";
import type { Kernel, View } from "../../types.ts";
import { GATE_BUFFERS, type GateSize } from "./gpu_gate_buffers.ts";
import { at } from "./gpu_rate.ts";

/** A name, the bytes that it cannot do without, and the call. */
export type NamedKernel = readonly [name: string, bytes: number, call: Kernel];

/** Every kernel that works on logits. */
export function gateKernels(shape: GateSize): readonly NamedKernel[] {
  const { tokens, rows, k } = shape;
  const matrix = 4 * tokens * rows;
  const list = 4 * tokens * k;
  const v = Object.fromEntries(GATE_BUFFERS.map((name) => [name, at(name)])) as Record<
    (typeof GATE_BUFFERS)[number],
    View
  >;
  const of = (scores: "softmax" | "sigmoid" | "sqrtSoftplus" | "softmaxOfChosen", more = {}) => ({
    ...{ scores, chosen: "largest" as const, normalize: true, scale: 2.5 },
    ...more,
  });
  const plain = { logits: v.logits, scores: v.scores, choices: v.choices, weights: v.weights };
  const groups = { groups: 8, groupLimit: 4 };
  const topK = { tokens, experts: rows, topK: k };
  const grad = { ...plain, dWeights: v.dWeights, dLogits: v.dLogits };
  const losses = { loss: v.loss, total: v.total };
  const place = { scores: v.scores, choices: v.choices, positions: v.positions, loads: v.loads };
  const noisy = { clean: v.clean, spread: v.spread, noise: v.noise, logits: v.logits };
  return [
    ["route softmax", 2 * matrix + 2 * list, route(shape, of("softmax"), plain)],
    ["route softmaxOfChosen", 2 * matrix + 2 * list, route(shape, of("softmaxOfChosen"), plain)],
    [
      "route sigmoid, bias, groups",
      2 * matrix + 2 * list,
      route(shape, of("sigmoid", groups), { ...plain, bias: v.bias }),
    ],
    [
      "route sqrtSoftplus, bias",
      2 * matrix + 2 * list,
      route(shape, of("sqrtSoftplus"), { ...plain, bias: v.bias }),
    ],
    ["softmax", 2 * matrix, softmax(tokens, rows, v.logits, v.scores)],
    ["top_k", matrix + 2 * list, chooseTopK(topK, { normalize: true, ...plain })],
    ["positions", 2 * list, positions(topK, { prioritized: false, ...place })],
    [
      "place_choices",
      3 * list,
      placeChoices(shape, { experts: rows, prioritized: false }, { ...place, targets: v.targets }),
    ],
    [
      "place_choices prioritized",
      matrix + 3 * list,
      placeChoices(shape, { experts: rows, prioritized: true }, { ...place, targets: v.targets }),
    ],
    ["count_choices", list, countChoices(shape, k, { choices: v.choices, counts: v.counts })],
    [
      "gate_grad",
      2 * matrix + 3 * list,
      gateGrad(topK, { normalize: true, auxWeight: 0.1, ...grad }),
    ],
    [
      "route_grad softmax",
      2 * matrix + 2 * list,
      routeGrad(shape, { ...of("softmax"), zWeight: 0 }, { ...grad, balance: v.balance }),
    ],
    [
      "route_grad sigmoid",
      2 * matrix + 2 * list,
      routeGrad(shape, { ...of("sigmoid"), zWeight: 0 }, { ...grad, balance: v.balance }),
    ],
    [
      "route_grad, z",
      3 * matrix + 2 * list,
      routeGrad(shape, { ...of("softmaxOfChosen"), zWeight: 0.1 }, { ...grad, balance: v.balance }),
    ],
    [
      "choose_tokens",
      2 * matrix,
      chooseTokens({ tokens, experts: rows, count: Math.floor(tokens * k / rows) }, {
        ...plain,
        choices: at("dense"),
      }),
    ],
    [
      "round_choices",
      2 * matrix + list,
      roundChoices({ tokens, experts: rows, k, tile: 128 }, {
        best: v.choices,
        logits: v.logits,
        scores: v.scores,
        choices: at("dense"),
      }),
    ],
    [
      "balance_loss softmax",
      matrix,
      balanceLoss(shape, { scores: "softmax", factor: 1, weight: 0.1 }, {
        scores: v.scores,
        counts: v.counts,
        balance: v.balance,
        ...losses,
      }),
    ],
    [
      "balance_loss sigmoid",
      matrix,
      balanceLoss(shape, { scores: "sigmoid", factor: 1, weight: 0.1 }, {
        scores: v.scores,
        counts: v.counts,
        balance: v.balance,
        ...losses,
      }),
    ],
    ["z_loss", matrix, zLoss(shape, 0.1, { logits: v.logits, ...losses })],
    [
      "importance_loss",
      2 * list,
      importanceLoss(shape, 0.1, {
        choices: v.choices,
        weights: v.weights,
        importance: v.importance,
        ...losses,
      }),
    ],
    [
      "load_loss",
      3 * matrix,
      loadLoss(shape, 0.1, {
        clean: v.clean,
        spread: v.spread,
        logits: v.logits,
        slopes: v.slopes,
        ...losses,
      }),
    ],
    ["add_noise", 4 * matrix, addNoise(tokens * rows, noisy)],
    [
      "noise_grad",
      7 * matrix,
      noiseGrad(shape, { ...noisy, dLogits: v.dLogits, dSpread: v.dSpread, slopes: v.slopes }),
    ],
    [
      "quantile_bias",
      matrix,
      quantileBias(shape, { logits: v.clean, bias: v.bias, out: at("next") }),
    ],
    [
      "budget_bias",
      12 * rows,
      budgetBias({ rows, experts: rows, rate: 1e-3, share: 1 }, { loads: v.counts, bias: v.bias }),
    ],
    ["temper", 2 * matrix, temper(tokens * rows, { z: v.spread, temperature: v.temperature })],
    [
      "temper gradient",
      3 * matrix,
      temper(tokens * rows, {
        z: v.logits,
        temperature: v.temperature,
        dz: v.dLogits,
        dTemperature: v.dTemperature,
      }),
    ],
  ];
}
