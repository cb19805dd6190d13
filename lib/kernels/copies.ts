/** Kernels of experts with copies on several ranks. @module */
import { aFunction, aSize, aView, expect, someSizes, someViews } from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";

const PLACE_COPIES_SHAPE = someSizes("tokens", "k", "experts", "slots");
const PLACE_COPIES_VIEWS = someViews("choices", "positions", "targets", "places");

/** Above every place: none is left out. */
const ALL_PLACES = 2 ** 31 - 2;

/** Sizes of choices among experts with copies. */
export interface CopyShape {
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Choices of a token. */
  readonly k: number;
  /** Experts that may be chosen, each with at least one slot. */
  readonly experts: number;
  /** Slots of all ranks of a group. */
  readonly slots: number;
  /** Choices at this position of their expert and beyond go nowhere; default: all go somewhere. */
  readonly capacity?: number;
}

/**
 * Choices [tokens, k] of experts and their positions as choices of slots and the places there, all int32: the choice at
 * position p of an expert goes to slot `slotsOf(expert)[p % n]` of its n slots, at place p / n.
 */
export function placeCopies(
  shape: CopyShape,
  slotsOf: (expert: number) => readonly number[],
  views: Record<"choices" | "positions" | "targets" | "places", View>,
): Kernel {
  expect("placeCopies", "shape", shape, PLACE_COPIES_SHAPE);
  expect("placeCopies", "slotsOf", slotsOf, aFunction);
  expect("placeCopies", "views", views, PLACE_COPIES_VIEWS);
  const { tokens, k, experts, slots, capacity = ALL_PLACES } = shape;
  const begins = [0];
  const list: number[] = [];
  for (let expert = 0; expert < experts; expert++) {
    list.push(...slotsOf(expert));
    begins.push(list.length);
  }
  const { choices, positions, targets, places } = views;
  return {
    name: "place_copies",
    args: [tokens, k, experts, slots, capacity, choices, positions, targets, places],
    more: Int32Array.from([...begins, ...list]),
  };
}

/** Bytes from one place of a rank to another. */
export function copyBytes(bytes: number, from: View, to: View): Kernel {
  expect("copyBytes", "bytes", bytes, aSize);
  expect("copyBytes", "from", from, aView);
  expect("copyBytes", "to", to, aView);
  return {
    name: "copy_bytes",
    args: [bytes, from, to],
  };
}
