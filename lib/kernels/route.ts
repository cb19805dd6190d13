/** Kernels of gates: scores, choices, weights, places, and the gradient of all that. @module */
import {
  aFlag,
  aNumber,
  aSize,
  expect,
  record,
  someSizes,
  something,
  someViews,
} from "../arguments/mod.ts";
import { type Kernel, SchemoeError, type View } from "../types.ts";
import type { GateScores } from "./types.ts";
import { NONE } from "./linear.ts";
import { didYouMean, quoted } from "../words.ts";

/** A {@linkcode RouteShape}. */
export const ROUTE_SHAPE = someSizes("tokens", "rows", "k");
const ROUTE_OPTIONS = record("options { scores, chosen, normalize, scale }", {
  scores: something,
  chosen: something,
});
const ROUTE_VIEWS = someViews("logits", "scores", "choices", "weights", "bias?");
const ROUTE_GRAD_OPTIONS = record("options { scores, normalize, scale, zWeight }", {
  scores: something,
  zWeight: aNumber,
});
const ROUTE_GRAD_VIEWS = someViews(
  "logits",
  "scores",
  "choices",
  "dWeights",
  "dLogits",
  "importance?",
  "balance?",
  "padding?",
);
const PLACE_CHOICES_OPTIONS = record("options { experts, prioritized }", {
  experts: aSize,
  prioritized: aFlag,
});
const PLACE_CHOICES_VIEWS = someViews("scores", "choices", "targets", "positions", "loads");
const CHOOSE_TOKENS_SHAPE = someSizes("tokens", "experts", "count");
const CHOOSE_TOKENS_VIEWS = someViews("logits", "scores", "choices");
const ROUND_CHOICES_SHAPE = someSizes("tokens", "experts", "k", "tile");
const ROUND_CHOICES_VIEWS = someViews("best", "logits", "scores", "choices");
const LOOK_UP_CHOICES_VIEWS = someViews("ids", "table", "choices");
const COUNT_CHOICES_VIEWS = someViews("choices", "counts");
const DROP_PADDING_SHAPE = someSizes("tokens", "k");
const DROP_PADDING_VIEWS = someViews("padding", "choices");

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
  shape: RouteShape,
  options: RouteOptions,
  views: Record<"logits" | "scores" | "choices" | "weights", View> & { bias?: View },
): Kernel {
  expect("route", "shape", shape, ROUTE_SHAPE);
  expect("route", "options", options, ROUTE_OPTIONS);
  expect("route", "views", views, ROUTE_VIEWS);
  const { tokens, rows, k } = shape;
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
  shape: RouteShape,
  options: Pick<RouteOptions, "scores" | "normalize" | "scale"> & { readonly zWeight: number },
  views: Record<"logits" | "scores" | "choices" | "dWeights" | "dLogits", View> & {
    importance?: View;
    balance?: View;
    padding?: View;
  },
): Kernel {
  expect("routeGrad", "shape", shape, ROUTE_SHAPE);
  expect("routeGrad", "options", options, ROUTE_GRAD_OPTIONS);
  expect("routeGrad", "views", views, ROUTE_GRAD_VIEWS);
  const { tokens, rows, k } = shape;
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
  shape: RouteShape,
  options: { readonly experts: number; readonly prioritized: boolean },
  views: Record<"scores" | "choices" | "targets" | "positions" | "loads", View>,
): Kernel {
  expect("placeChoices", "shape", shape, ROUTE_SHAPE);
  expect("placeChoices", "options", options, PLACE_CHOICES_OPTIONS);
  expect("placeChoices", "views", views, PLACE_CHOICES_VIEWS);
  const { tokens, rows, k } = shape;
  const { experts, prioritized } = options;
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
export function chooseTokens(
  shape: Record<"tokens" | "experts" | "count", number>,
  views: Record<"logits" | "scores" | "choices", View>,
): Kernel {
  expect("chooseTokens", "shape", shape, CHOOSE_TOKENS_SHAPE);
  expect("chooseTokens", "views", views, CHOOSE_TOKENS_VIEWS);
  const { tokens, experts, count } = shape;
  const { logits, scores, choices } = views;
  return { name: "choose_tokens", args: [tokens, experts, count, logits, scores, choices] };
}

/**
 * Each expert's tokens in whole tiles: of those that chose it (`best` [tokens, k]; -1: none) and the others as many as
 * the nearest multiple of `tile`, the chosen ones first and each by score; `choices` [tokens, experts] hold it, or -1.
 * Half a tile is rounded up, and no expert gets more whole tiles than there are tokens for.
 */
export function roundChoices(
  shape: Record<"tokens" | "experts" | "k" | "tile", number>,
  views: Record<"best" | "logits" | "scores" | "choices", View>,
): Kernel {
  expect("roundChoices", "shape", shape, ROUND_CHOICES_SHAPE);
  expect("roundChoices", "views", views, ROUND_CHOICES_VIEWS);
  const { tokens, experts, k, tile } = shape;
  const { best, logits, scores, choices } = views;
  return {
    name: "round_choices",
    args: [tokens, experts, k, tile, best, logits, scores, choices],
  };
}

/** Choices of each token by its number: row `ids[t]` of a table [vocabulary, k]; int32 all. */
export function lookUpChoices(
  shape: RouteShape,
  vocabulary: number,
  views: Record<"ids" | "table" | "choices", View>,
): Kernel {
  expect("lookUpChoices", "shape", shape, ROUTE_SHAPE);
  expect("lookUpChoices", "vocabulary", vocabulary, aSize);
  expect("lookUpChoices", "views", views, LOOK_UP_CHOICES_VIEWS);
  const { tokens, rows, k } = shape;
  const { ids, table, choices } = views;
  return { name: "look_up", args: [tokens, k, vocabulary, rows, ids, table, choices] };
}

/** How many of each token's first `first` choices are each row, as float32 [rows]. */
export function countChoices(
  shape: RouteShape,
  first: number,
  views: Record<"choices" | "counts", View>,
): Kernel {
  expect("countChoices", "shape", shape, ROUTE_SHAPE);
  expect("countChoices", "first", first, aSize);
  expect("countChoices", "views", views, COUNT_CHOICES_VIEWS);
  const { tokens, rows, k } = shape;
  const { choices, counts } = views;
  return { name: "count_choices", args: [tokens, rows, k, first, choices, counts] };
}

/** The choices [tokens, k] of tokens that `padding` [tokens] marks become -1; int32 both. */
export function dropPadding(
  shape: Omit<RouteShape, "rows">,
  views: Record<"padding" | "choices", View>,
): Kernel {
  expect("dropPadding", "shape", shape, DROP_PADDING_SHAPE);
  expect("dropPadding", "views", views, DROP_PADDING_VIEWS);
  const { tokens, k } = shape;
  const { padding, choices } = views;
  return { name: "drop_padding", args: [tokens, k, padding, choices] };
}
