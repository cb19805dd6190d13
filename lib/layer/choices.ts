/** Choices for one pass, by value or by the name of a built-in. @module */
import type { AllToAll } from "../alltoall/types.ts";
import type { Chunking } from "../chunking/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { type Dispatch, type DispatchChoice, ONCE_A_NODE } from "./dispatch.ts";

/** Options of `forward` and `backward`. */
export interface PassChoices extends DispatchChoice {
  /** Default `sequential`. */
  readonly scheduler?: Scheduler | string;
  /** Default `linear`. */
  readonly allToAll?: AllToAll | string;
  /**
   * Codec of both exchanges or of each; default `none`. In the backward pass an exchange is named after
   * the forward one whose gradient it carries.
   */
  readonly compressor?: Compressor | string | CompressorPair;
  /**
   * Number of chunks, default 1, or a way to split. A number means capacity slices, cut where codecs lose nothing (at
   * multiples of four rows for zfp), or what the scheduler prefers (`fasterMoE`: groups of peers); in the backward
   * pass in the way in which forward was split, into as many parts as are given there, not as forward had. A dropless pass has no more slices than an expert gets rows. `peerGroups(n)`
   * splits by groups of ranks, `expertWaves(n)` by experts.
   */
  readonly chunks?: number | Chunking;
  /**
   * Whether the run knows how far it is from the lower bound. That is free where tasks take what the cost model
   * says (the simulator; emulated links with paced computation), and then the default. Elsewhere `true` measures
   * each task alone first, in two further runs that call host functions and codecs again; tasks measured once
   * are known to later runs of the same choices.
   */
  readonly bound?: boolean;
  /**
   * How often the pass runs, default 1, at most 1000. The run is that of the median makespan, and knows the
   * others (`run.repeats`); results are the same each time. Host functions and codecs run each time too. An
   * engine that only computes times runs once.
   */
  readonly repeats?: number;
  /**
   * Results are read when they are asked for, until a later pass overwrites them. `true` reads them right after the
   * run and keeps them; `false` gives none.
   */
  readonly results?: boolean;
  /**
   * Seconds after which the run is given up; default 600, in a notebook 60, since a cell that waits cannot be
   * interrupted there.
   */
  readonly timeLimit?: number;
  /**
   * Looks at every number that is computed; the first NaN or infinity ends the run with an error that names task,
   * rank, tensor and element, and the parameter or input that held one before. So does a value that a codec cannot
   * represent. Default false, which costs nothing; true reads each result once more. An engine that only computes
   * times has no numbers.
   */
  readonly checkNumbers?: boolean;
  /** Aborting it ends the run with an error; `interruptSignal()` makes one that Ctrl+C aborts. */
  readonly signal?: AbortSignal;
  /** Name of the run in its timeline; default the choices. */
  readonly name?: string;
}

/** A codec for each exchange; default of each `none`. */
export interface CompressorPair {
  /** Codec towards the experts; default none. */
  readonly dispatch?: Compressor | string;
  /** Codec on the way back; default none. */
  readonly combine?: Compressor | string;
}

/** The same with every name looked up. */
export interface ResolvedChoices {
  /** Who orders the tasks. */
  readonly scheduler: Scheduler;
  /** How often a token crosses to a node. */
  readonly dispatch: Dispatch;
  /** How tokens are exchanged. */
  readonly allToAll: AllToAll;
  /** Codec towards the experts (`dispatch`) and back (`combine`). */
  readonly compressor: { readonly dispatch: Compressor; readonly combine: Compressor };
  /** How the pass is split. */
  readonly chunking: Chunking;
}

/** Whether weight gradients are added up in the order of the scheduler. */
export const reassociates = ({ scheduler }: Pick<ResolvedChoices, "scheduler">): boolean =>
  scheduler.reassociate === true;

/** How captions and names call the exchange: by its all-to-all, or by dispatch. */
export const exchangeName = ({ dispatch, allToAll }: ResolvedChoices): string =>
  dispatch === "node" ? ONCE_A_NODE : allToAll.name;

/** How captions and names call the codecs of the two exchanges: one name where they are the same. */
export const codecName = ({ dispatch, combine }: ResolvedChoices["compressor"]): string =>
  dispatch.name === combine.name ? dispatch.name : `${dispatch.name}/${combine.name}`;
