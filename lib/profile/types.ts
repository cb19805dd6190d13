/** Measured times of a machine for each kind of work. @module */
import type { Costs } from "../costs/types.ts";
import type { Turns } from "../types.ts";

/** A number with its 90 % interval, by the jackknife over tenths of the measurements. */
export interface Estimate {
  /** What the fit over all measurements gives. */
  readonly value: number;
  /** Lower end of the interval. */
  readonly least: number;
  /** Upper end. */
  readonly most: number;
}

/** Quality of a fit on its own samples. */
export interface FitQuality {
  /** Operations measured, medians over ranks and repeats. */
  readonly points: number;
  /** Coefficient of determination of the seconds. */
  readonly r2: number;
  /** Median of the relative errors without their signs. */
  readonly error: number;
  /** Median over operations of how far repeats lie from their median, relative. */
  readonly noise: number;
  /** Shortest and longest operation measured, in seconds; beyond them the fit extrapolates. */
  readonly range: readonly [number, number];
}

/** By how much operations of about these seconds differ from the straight fit. */
export interface Correction {
  /** Time by the straight fit. */
  readonly seconds: number;
  /** Measured over fitted time. */
  readonly factor: number;
}

/**
 * Computation of one kind takes `alpha + perFlop * flops + perByte * bytes + perElement * elements`, times the correction of
 * its size.
 */
export interface KindFit {
  /** Kind of task, its native kernels, and the codec where there is one: see `kindOf`. */
  readonly kind: string;
  /** Seconds of a task, however small its work. */
  readonly alpha: Estimate;
  /** Seconds of a floating-point operation. */
  readonly perFlop: Estimate;
  /** Seconds of a byte of memory traffic. */
  readonly perByte: Estimate;
  /** Seconds of a number that is handled by itself, as by an activation or a softmax: `elementsOf` of its kernels. */
  readonly perElement: Estimate;
  /** Factors by fitted time, rising; between them they are interpolated. */
  readonly corrections: readonly Correction[];
  /** How well the fit describes what was measured. */
  readonly quality: FitQuality;
  /** Rows and columns of products count up to multiples of it: kernels compute whole tiles. Absent where they do not. */
  readonly tile?: number;
  /**
   * Where tasks of several ranks wait in one queue: the seconds of the processor that a task needs while others are there.
   * Small kernels run beside each other and need less than they take alone, large ones that share caches more.
   */
  readonly busy?: Pick<KindFit, "alpha" | "perFlop" | "perByte" | "perElement" | "corrections">;
}

/** Messages over one kind of link: `alpha` for each, `beta` for each byte, in seconds. */
export interface LinkEstimate {
  /** Seconds in which a message starts. */
  readonly alpha: Estimate;
  /** Seconds a byte. */
  readonly beta: Estimate;
}

/** A phase takes `alpha`, and what its messages take. */
export interface LinksFit {
  /** Seconds of a phase, however few its bytes. */
  readonly alpha: Estimate;
  /** Link inside a node. */
  readonly intra: LinkEstimate;
  /** Link between nodes. */
  readonly inter: LinkEstimate;
  /** Seconds a byte of a copy inside a rank. */
  readonly local: Estimate;
  /** Factors by fitted time, rising; between them they are interpolated. */
  readonly corrections: readonly Correction[];
  /** How well the fit describes what was measured. */
  readonly quality: FitQuality;
  /** Phases by number of peers and bytes sent: measured and fitted times. */
  readonly bySize: readonly {
    readonly peers: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly predicted: number;
  }[];
}

/** Processors that the lanes of ranks share. */
export interface ProcessorsFit {
  /** Which of several, all alike, each rank computes on, by number, as ranks on several GPUs; absent: all on the same. */
  readonly of?: readonly number[];
  /** Lanes that compute at full speed at once. */
  readonly capacity: number;
  /**
   * Where all share them evenly: how many times longer than the mean computation takes on the fastest rank of a run, the next
   * one, and so on to the slowest, for which all others wait. Which rank that is changes from run to run; predictions take
   * the last one. Absent where ranks are alike.
   */
  readonly ranks?: readonly number[];
  /** How lanes take turns on them; absent where those that are ready share them evenly at any time. */
  readonly turns?: Required<Pick<Turns, "count">> & Turns;
  /**
   * Part of a processor that a transfer needs, where it waits in a queue among computation: what it takes from products
   * beside it. Default all of it.
   */
  readonly transferWidth?: number;
}

/** Times of a machine, fitted to sweeps of an engine: pure data, kept as JSON. */
export interface MachineProfile {
  /** Tells such a file from other JSON. */
  readonly format: "schemoe profile";
  /** Of the format. */
  readonly version: 4;
  /** On which it was measured. */
  readonly machine: {
    readonly os: string;
    readonly architecture: string;
    readonly processors?: number;
  };
  /** Of what it was measured with. */
  readonly versions: { readonly package: string; readonly deno: string };
  /** ISO 8601. */
  readonly date: string;
  /** The engine that was measured, and its world. */
  readonly engine: {
    readonly kind: string;
    readonly timing: string;
    readonly nodes: number;
    readonly ranksPerNode: number;
  };
  /** Fits of computation, by kind of task. */
  readonly kinds: readonly KindFit[];
  /** Fits of communication. */
  readonly links: LinksFit;
  /** Seconds until operations begin, beside the times above; 0 where they are paced, and make up for it. */
  readonly launch: NonNullable<Costs["launch"]>;
  /** Processors that all ranks share; absent where every lane has its own. */
  readonly processors?: ProcessorsFit;
  /**
   * How many times longer computation takes while its rank transfers, and transfers while their rank computes, beside
   * what sharing processors costs. 1 is not at all, and what 15 of 16 calibrations found, of a CPU's threads, of an H200
   * with copies and with NCCL between emulated nodes: so that one number stands for links inside nodes and between them.
   * Where a kind of link needs no processor at all, that is not told by it but by what transfers need of processors.
   */
  readonly slowdown: { readonly compute: number; readonly communication: number };
  /**
   * What the same products on all ranks took in all of the time of measuring, by which the machine's speed is told later;
   * absent where computation is paced, or modelled.
   */
  readonly probe?: {
    /** Median. */
    readonly seconds: number;
    /** How far they lie from it, relative. */
    readonly noise: number;
  };
  /** Why it was measured though a file had one: what that one did not hold. Absent where there was none. */
  readonly replaces?: string;
  /** The machine's speed that it predicts for, relative to that of measuring; absent for that. */
  readonly speed?: number;
  /** Seconds that measuring took. */
  readonly seconds: number;
}
