/** The interface of all-to-all algorithms: slices, steps and phases. @module */
import type { Lane, Topology } from "../types.ts";

/** `count` (default 1) consecutive slices of a buffer of an all-to-all. */
export interface Slice {
  /** `input` and `output` hold a slice for each rank; `scratch` is as large as the plan needs. */
  readonly buffer: "input" | "output" | "scratch";
  /** Number of its first slice, from 0. */
  readonly index: number;
  /** Consecutive slices; default 1. */
  readonly count?: number;
}

/**
 * A piece of a phase: a copy in a rank, or one side of a transfer. `part` is present where only a sub-range
 * of one slice moves: from its first to before its second number, in parts of the algorithm's `parts`. A part
 * keeps its place in its slice wherever that lies, and both sides of a transfer name the same one.
 */
export type Step =
  & (
    | { readonly kind: "copy"; readonly from: Slice; readonly to: Slice }
    | { readonly kind: "send"; readonly from: Slice; readonly peer: number }
    | { readonly kind: "receive"; readonly to: Slice; readonly peer: number }
  )
  & { readonly part?: readonly [number, number] };

/** Steps of a rank that are posted together on one lane, in no order among each other. */
export interface Phase {
  /** Tells it from the other phases in task names; default: its lane. */
  readonly name?: string;
  /** Links that it uses: those inside a node or those between nodes. */
  readonly lane: "intra" | "inter";
  /**
   * Indices of the phases it waits for; default: the one before it. Phases without a path between
   * them may run in any order, also on one lane: that is the scheduler's to choose.
   */
  readonly after?: readonly number[];
  /** What this rank does; empty where it takes no part. */
  readonly steps: readonly Step[];
}

/**
 * An all-to-all algorithm. `input` slice j of rank i must become `output` slice i of rank j.
 * All ranks have the same list of phases; a phase may have no steps on a rank. The k-th send from
 * i to j in a phase meets the k-th receive of j from i. It is proven before it is used, see
 * `proveAllToAll`.
 */
export interface AllToAll {
  /** What layers, captions and errors call it. */
  readonly name: string;
  /** Equal parts into which its steps may cut a slice; default 1: slices move whole. */
  readonly parts?: number;
  /** True where the plan depends on `traffic`: it is then made anew for every exchange. */
  readonly byTraffic?: boolean;
  /**
   * What one rank does, phase after phase. All ranks must have as many phases; a proof compares the plans of all
   * before anything runs. Pure.
   * @param at.traffic what is exchanged, given where `byTraffic` is true; equal slices if absent.
   */
  plan(at: {
    readonly rank: number;
    readonly topology: Topology;
    readonly traffic?: TrafficMatrix;
  }): readonly Phase[];
  /**
   * Present where the plan is written from routes (`planned`): by them worlds are simulated that are too large for
   * their steps to be proven.
   */
  routed?(at: { readonly topology: Topology; readonly traffic: TrafficMatrix }): Planning;
  /**
   * Present where slices pass by other ranks on ways that are known without the plans: by it exchanges of a part of the
   * slices, and of slices of different sizes, are simulated in worlds too large for a proof.
   */
  ways?(topology: Topology): SliceWay;
}

/**
 * Tells the moves of the slice from `source` for `destination`, phase by phase: a copy where `from` and `to` are the same
 * rank, else a message.
 */
export type SliceWay = (
  source: number,
  destination: number,
  move: (phase: number, from: number, to: number) => void,
) => void;

/** A plan before it is written down rank by rank. */
export interface Planning {
  /** Transfers between nodes, one after another. */
  readonly stages: number;
  /** Routes of all slices from a node to another one; all their bytes are on the way, each once. */
  routes(from: number, to: number): readonly Route[];
}

/** The way of a part of a slice between nodes: over links inside where it leaves or arrives elsewhere. */
export interface Route {
  /** Rank whose slice it is. */
  readonly source: number;
  /** Rank that the slice is for. */
  readonly destination: number;
  /** Rank of the source's node that sends it to the other node. */
  readonly out: number;
  /** Rank of the other node that gets it. */
  readonly in: number;
  /** Absent for the whole slice. */
  readonly part?: readonly [number, number];
  /** Stage in which it crosses to the other node. */
  readonly stage: number;
}

/** Bytes that each rank has for each other one, and for itself. */
export interface TrafficMatrix {
  /** Ranks of the exchange. */
  readonly ranks: number;
  /** Bytes that `source` has for `destination`. */
  bytes(source: number, destination: number): number;
}

/**
 * Writes the sum of slices of a rank, added in the order of `from`, so that its bits are known. With a `part` only
 * that sub-range of each is added.
 */
export interface Reduce {
  /** Tells a sum from the steps of an all-to-all. */
  readonly kind: "reduce";
  /** What is added, in this order. */
  readonly from: readonly Slice[];
  /** Where the sum goes. */
  readonly to: Slice;
  /** The sub-range of each slice that is added; default: whole slices. */
  readonly part?: readonly [number, number];
}

/** Steps of a rank in a phase of a collective: transfers and copies on a lane of links, sums on that of computation. */
export interface CollectivePhase extends Omit<Phase, "lane" | "steps"> {
  /** Links for transfers and copies, `compute` for sums. */
  readonly lane: Lane;
  /** What this rank does; empty where it takes no part. */
  readonly steps: readonly (Step | Reduce)[];
}

/**
 * An exchange in which a slice may be wanted by several ranks, and an output may be a sum of several slices: what an
 * all-to-all is to one slice for each pair of ranks. Its plans are proven like those, see `proveCollective`.
 */
export interface Collective {
  /** What captions and errors call it. */
  readonly name: string;
  /** Equal parts into which its steps may cut a slice; default 1. */
  readonly parts?: number;
  /** Slices of the input, and of the output, of a rank. */
  inputs(rank: number): number;
  /** Slices of the output of a rank. */
  outputs(rank: number): number;
  /** The slices of input whose sum belongs into a slice of output: rank and index of each; of one it is a copy. */
  terms(rank: number, output: number): readonly (readonly [rank: number, input: number])[];
  /** Phases of a rank; all ranks have the same list, some with no steps. */
  plan(at: { readonly rank: number; readonly topology: Topology }): readonly CollectivePhase[];
}

/** Rows that a rank copies, or that it sends to or gets from another one as one message. */
export interface CountedMove {
  /** A copy within the rank, or one side of a message. */
  readonly kind: "copy" | "send" | "receive";
  /** The other rank; of a copy the rank itself. */
  readonly peer: number;
  /** How many rows it is. */
  readonly rows: number;
}

/** What a collective moves and adds where slices are rows: by it exchanges of many slices are priced without their plans. */
export interface CollectiveCounts {
  /** Phases as in its plans, without steps. */
  readonly phases: readonly Omit<CollectivePhase, "steps">[];
  /** What a rank moves in a phase; copies may be counted together. */
  moved(rank: number, phase: number): readonly CountedMove[];
  /** Rows that a rank adds to others in a phase. */
  added(rank: number, phase: number): number;
}
