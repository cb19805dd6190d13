/** Kernels of gates: scores, choices, weights, places, and the gradient of all that. @module */
import { type Kernel, SchemoeError, type View } from "../types.ts";
import type { GateScores } from "./types.ts";
import { NONE } from "./linear.ts";
import { didYouMean, quoted } from "../words.ts";

const SCORES: readonly GateScores[] = [
  "softmax",
  "sigmoid",
  "sqrtSoftplus",
  "softmaxOfChosen",
  "relu",
];

/** Number by which kernels know how logits become scores. @throws {SchemoeError} for an unknown name. */
export function scoresCode(scores: GateScores): number {
  const code = SCORES.indexOf(scores);
  if (code < 0) {
    throw new SchemoeError(
      `Unknown scores ${quoted(scores)}: choose one of ${SCORES.join(", ")}${
        didYouMean(scores, SCORES)
      }`,
    );
  }
  return code;
}

/** What {@linkcode route} chooses: the k largest values, what `choices` hold, all above 0, or nothing. */
export type Chosen = "largest" | "given" | "positive" | "nothing";

const CHOSEN: readonly Chosen[] = ["largest", "given", "positive", "nothing"];

/** Sizes of a choice among all rows of a gate. */
export interface RouteShape {
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Experts, and experts without computation. */
  readonly rows: number;
  /** Choices of a token. */
  readonly k: number;
}

/** How scores become choices and weights. */
export interface RouteOptions {
  /** How logits become scores. */
  readonly scores: GateScores;
  /** Which rows a token chooses. */
  readonly chosen: Chosen;
  /** Experts in as many equal runs, of which only the `groupLimit` best can be chosen; default 1. */
  readonly groups?: number;
  /** Runs that a token may choose from; default all. */
  readonly groupLimit?: number;
  /** Whether the weights of a token are divided by their sum. */
  readonly normalize: boolean;
  /** What weights are multiplied by at last. */
  readonly scale: number;
}

/**
 * Scores of logits [tokens, rows], the choices of each token [tokens, k] (int32; -1: none) and their weights.
 * `bias` [rows] is added to the scores for choosing alone. Equal values: larger logits, then lower rows first;
 * NaN goes before everything.
 */
export function route(
  { tokens, rows, k }: RouteShape,
  options: RouteOptions,
  views: Record<"logits" | "scores" | "choices" | "weights", View> & { bias?: View },
): Kernel {
  const { scores, chosen, groups = 1, groupLimit = groups, normalize, scale } = options;
  return {
    name: "route",
    args: [
      tokens,
      rows,
      k,
      scoresCode(scores),
      CHOSEN.indexOf(chosen),
      groups,
      groupLimit,
      Number(normalize),
      views.logits,
      views.bias ?? NONE,
      views.scores,
      views.choices,
      views.weights,
      scale,
    ],
  };
}

/**
 * Gradient of the logits from those of the weights [tokens, k], of sums of weights of a row (`importance`
 * [rows]), of each token's probabilities (`balance` [rows]) and from a z-loss of weight `zWeight`.
 */
export function routeGrad(
  { tokens, rows, k }: RouteShape,
  options: Pick<RouteOptions, "scores" | "normalize" | "scale"> & { readonly zWeight: number },
  views: Record<"logits" | "scores" | "choices" | "dWeights" | "dLogits", View> & {
    importance?: View;
    balance?: View;
    padding?: View;
  },
): Kernel {
  return {
    name: "route_grad",
    args: [
      tokens,
      rows,
      k,
      scoresCode(options.scores),
      Number(options.normalize),
      views.logits,
      views.scores,
      views.choices,
      views.dWeights,
      views.importance ?? NONE,
      views.balance ?? NONE,
      views.dLogits,
      options.scale,
      options.zWeight,
      views.padding ?? NONE,
    ],
  };
}

/**
 * Places of choices that may be -1, or rows without computation (from `experts` on): these get the place of
 * no row and count in `loads` [rows] alone. `targets` are the choices with expert 0 where there is no row.
 */
export function placeChoices(
  { tokens, rows, k }: RouteShape,
  { experts, prioritized }: { readonly experts: number; readonly prioritized: boolean },
  views: Record<"scores" | "choices" | "targets" | "positions" | "loads", View>,
): Kernel {
  const { scores, choices, targets, positions, loads } = views;
  return {
    name: "place_choices",
    args: [
      tokens,
      rows,
      experts,
      k,
      Number(prioritized),
      scores,
      choices,
      targets,
      positions,
      loads,
    ],
  };
}

/** Each expert takes the `count` tokens of largest score: `choices` [tokens, experts] hold it, or -1. */
export const chooseTokens = (
  { tokens, experts, count }: Record<"tokens" | "experts" | "count", number>,
  { logits, scores, choices }: Record<"logits" | "scores" | "choices", View>,
): Kernel => ({ name: "choose_tokens", args: [tokens, experts, count, logits, scores, choices] });

/**
 * Each expert's tokens in whole tiles: of those that chose it (`best` [tokens, k]; -1: none) and the others as many as
 * the nearest multiple of `tile`, the chosen ones first and each by score; `choices` [tokens, experts] hold it, or -1.
 * Half a tile is rounded up, and no expert gets more whole tiles than there are tokens for.
 */
export const roundChoices = (
  { tokens, experts, k, tile }: Record<"tokens" | "experts" | "k" | "tile", number>,
  { best, logits, scores, choices }: Record<"best" | "logits" | "scores" | "choices", View>,
): Kernel => ({
  name: "round_choices",
  args: [tokens, experts, k, tile, best, logits, scores, choices],
});

/** Choices of each token by its number: row `ids[t]` of a table [vocabulary, k]; int32 all. */
export const lookUpChoices = (
  { tokens, rows, k }: RouteShape,
  vocabulary: number,
  { ids, table, choices }: Record<"ids" | "table" | "choices", View>,
): Kernel => ({ name: "look_up", args: [tokens, k, vocabulary, rows, ids, table, choices] });

/** How many of each token's first `first` choices are each row, as float32 [rows]. */
export const countChoices = (
  { tokens, rows, k }: RouteShape,
  first: number,
  { choices, counts }: Record<"choices" | "counts", View>,
): Kernel => ({ name: "count_choices", args: [tokens, rows, k, first, choices, counts] });

/** The choices [tokens, k] of tokens that `padding` [tokens] marks become -1; int32 both. */
export const dropPadding = (
  { tokens, k }: Omit<RouteShape, "rows">,
  { padding, choices }: Record<"padding" | "choices", View>,
): Kernel => ({ name: "drop_padding", args: [tokens, k, padding, choices] });

/** logits = clean + noise * softplus(spread). */
export const addNoise = (
  count: number,
  { clean, spread, noise, logits }: Record<"clean" | "spread" | "noise" | "logits", View>,
): Kernel => ({ name: "add_noise", args: [count, clean, spread, noise, logits] });

/**
 * From the gradient of noisy logits (in place) to those of the clean ones and of the spread; with `slopes`
 * [rows] that of the load loss too, whose bounds are among the noisy logits.
 */
export const noiseGrad = (
  { tokens, rows, k }: RouteShape,
  views:
    & Record<"clean" | "spread" | "noise" | "logits" | "dLogits" | "dSpread", View>
    & { slopes?: View; padding?: View },
): Kernel => ({
  name: "noise_grad",
  args: [
    tokens,
    rows,
    k,
    views.clean,
    views.spread,
    views.noise,
    views.logits,
    views.slopes ?? NONE,
    views.dLogits,
    views.dSpread,
    views.padding ?? NONE,
  ],
});

/** Rows divided by their Euclidean norms (at least 1e-12), which are kept. */
export const unitRows = (
  [rows, columns]: readonly [number, number],
  { x, y, norms }: Record<"x" | "y" | "norms", View>,
): Kernel => ({ name: "unit_rows", args: [rows, columns, x, y, norms] });

/** The gradient of {@linkcode unitRows}, from its results. */
export const unitRowsGrad = (
  [rows, columns]: readonly [number, number],
  { y, norms, dy, dx }: Record<"y" | "norms" | "dy" | "dx", View>,
): Kernel => ({ name: "unit_rows_grad", args: [rows, columns, y, norms, dy, dx] });

/** z divided by a temperature [1], in place; or with gradients: dz likewise, and that of the temperature. */
export const temper = (
  count: number,
  views: Record<"z" | "temperature", View> & { dz?: View; dTemperature?: View },
): Kernel => ({
  name: "temper",
  args: [
    count,
    views.z,
    views.temperature,
    views.dz ?? NONE,
    views.dTemperature ?? NONE,
  ],
});
