/** Kernels that move tokens to the places of experts and back. @module */
import { aSize, aView, expect, record, someOf, someSizes, someViews } from "../arguments/mod.ts";
import type { Chunk, CountedRows, Kernel, View } from "../types.ts";
import type { ElementType } from "./types.ts";
import { NONE, typeCode } from "./linear.ts";

const PLACES = record("places { tokens, columns, topK, experts, chunks }", {
  tokens: aSize,
  columns: aSize,
  topK: aSize,
  experts: aSize,
  chunks: someOf(record("a chunk { begin, end }", { begin: aSize, end: aSize }), "chunks"),
});
const FILL_SLOTS_VIEWS = someViews("choices", "positions", "slots");
const DISPATCH_ROWS_VIEWS = someViews("x", "slots", "weights?", "out");
const PLACE_TOKENS_VIEWS = someViews("x", "choices", "positions", "weights?", "out");
const COMBINE_ROWS_VIEWS = someViews("rows", "choices", "positions", "weights?", "y");
const COUNT_ROWS_COUNTED = someSizes("experts", "rows", "ranks", "rank", "room");
const ROW_DOTS_VIEWS = someViews("a", "rows", "choices", "positions", "out");

/**
 * Rows that tokens are sent as: chunk after chunk, in each [experts, places of the chunk], or only the
 * places that are taken.
 */
export interface Places {
  /** Type of tokens and rows; default `float32`. */
  readonly dtype?: ElementType;
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Values of a token and of a row. */
  readonly columns: number;
  /** Choices of a token. */
  readonly topK: number;
  /** Experts, or slots of experts, that rows go to. */
  readonly experts: number;
  /** Slices of the capacity. */
  readonly chunks: readonly Chunk[];
  /** Present where only places that are taken have rows: first row of each (chunk, expert), and the end. */
  readonly firstRows?: Int32Array;
  /** The same, where rows are counted as the Program runs. */
  readonly counted?: CountedRows;
}

const head = (p: Places) => [typeCode(p.dtype), p.tokens, p.columns, p.topK, p.experts] as const;
/** Number of chunks, where each begins and the last one ends, and the first rows; or whose they are. */
function bounds({ chunks, firstRows, counted }: Places): Pick<Kernel, "more" | "counted"> {
  if (counted) return { counted };
  const all = new Int32Array(2 + chunks.length + (firstRows?.length ?? 0));
  all[0] = chunks.length;
  for (let i = 0; i < chunks.length; i++) all[2 + i] = chunks[i].end;
  if (firstRows) all.set(firstRows, 2 + chunks.length);
  return { more: all };
}

/** Which choice fills each place: `slots` int32 [experts, capacity]. */
export function fillSlots(
  places: Places,
  views: Record<"choices" | "positions" | "slots", View>,
): Kernel {
  expect("fillSlots", "places", places, PLACES);
  expect("fillSlots", "views", views, FILL_SLOTS_VIEWS);
  const { choices, positions, slots } = views;
  const capacity = places.chunks.at(-1)!.end;
  return {
    name: "slots",
    args: [places.tokens, places.topK, places.experts, capacity, choices, positions, slots],
  };
}

/** Copies each token to its places, times the weight of the choice if given; empty places get zeros. */
export function dispatchRows(
  places: Places,
  views: { x: View; slots: View; weights?: View; out: View },
): Kernel {
  expect("dispatchRows", "places", places, PLACES);
  expect("dispatchRows", "views", views, DISPATCH_ROWS_VIEWS);
  const { x, slots, weights = NONE, out } = views;
  return {
    name: "dispatch",
    args: [...head(places), x, slots, weights, out],
    ...bounds(places),
  };
}

/** The same token by token, where only places that are taken have rows; needs no slots. */
export function placeTokens(places: Places, views: {
  x: View;
  choices: View;
  positions: View;
  weights?: View;
  out: View;
}): Kernel {
  expect("placeTokens", "places", places, PLACES);
  expect("placeTokens", "views", views, PLACE_TOKENS_VIEWS);
  const { x, choices, positions, weights = NONE, out } = views;
  const list = [x, choices, positions, weights, out] as const;
  return { name: "place_tokens", args: [...head(places), ...list], ...bounds(places) };
}

/** Adds up the rows of each token's choices in choice order, times their weights if given. */
export function combineRows(places: Places, views: {
  rows: View;
  choices: View;
  positions: View;
  weights?: View;
  y: View;
  add?: boolean;
}): Kernel {
  expect("combineRows", "places", places, PLACES);
  expect("combineRows", "views", views, COMBINE_ROWS_VIEWS);
  const { rows, choices, positions, weights = NONE, y, add = false } = views;
  const list = [rows, choices, positions, weights, y] as const;
  return { name: "combine", args: [...head(places), ...list, Number(add)], ...bounds(places) };
}

/**
 * Counts the rows of experts: they are the `loads` of all ranks, int32 [ranks, experts]. The lane waits until they are
 * known.
 */
export function countRows(counted: CountedRows, loads: View): Kernel {
  expect("countRows", "counted", counted, COUNT_ROWS_COUNTED);
  expect("countRows", "loads", loads, aView);
  return {
    name: "count_rows",
    args: [counted.experts, counted.rows, loads],
    ...(counted.ranks > 1
      ? { more: Int32Array.of(counted.ranks, counted.rank, counted.room) }
      : undefined),
    counted,
  };
}

/** Dot product of each token with the row of each of its choices: gradient of the weights. */
export function rowDots(
  places: Places,
  views: Record<
    "a" | "rows" | "choices" | "positions" | "out",
    View
  >,
): Kernel {
  expect("rowDots", "places", places, PLACES);
  expect("rowDots", "views", views, ROW_DOTS_VIEWS);
  const { a, rows, choices, positions, out } = views;
  return {
    name: "row_dot",
    args: [...head(places), a, rows, choices, positions, out],
    ...bounds(places),
  };
}
