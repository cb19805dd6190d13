/** Graphs of one pass whose task times are written down, to study schedules without a layer. @module */
import { anything, expect, options, record } from "../arguments/mod.ts";
import { topology } from "../topology.ts";
import type { Costs } from "../costs/types.ts";
import { type Pass, SchemoeError, type Task, type TaskGraph, type TaskKind } from "../types.ts";
import { GraphBuilder } from "./builder.ts";
import { quoted } from "../words.ts";

const TIMED_GRAPH_OPTIONS = options({
  pass: anything,
  chunks: anything,
  times: record("times of stages, such as { A1: 1, E: 2, A2: 1 }", {}),
  before: anything,
  after: anything,
  gate: anything,
});

/** Seconds of each stage of a chunk of size 1; a stage that is left out is not in the graph. */
export interface StageTimes {
  /** Compression towards the experts. */
  readonly C1?: number;
  /** All-to-all towards the experts. */
  readonly A1?: number | PhaseTimes;
  /** Decompression before the experts. */
  readonly D1?: number;
  /** Forward: the expert. */
  readonly E?: number;
  /** Backward: gradients of the expert's input and of its weights. */
  readonly Ei?: number;
  /** Gradient of the weights, in a backward pass. */
  readonly Ew?: number;
  /** Compression on the way back. */
  readonly C2?: number;
  /** All-to-all back. */
  readonly A2?: number | PhaseTimes;
  /** Decompression at the end. */
  readonly D2?: number;
}

/** Seconds of the two phases of an all-to-all. */
export interface PhaseTimes {
  /** Seconds inside the node. */
  readonly intra: number;
  /** Seconds between nodes. */
  readonly inter: number;
  /** The second phase comes after the first (2DH), intra first in A1 and last in A2; default false (pipe). */
  readonly chained?: boolean;
}

/** What {@linkcode timedGraph} takes. */
export interface TimedOptions {
  /** Default `forward`. */
  readonly pass?: Pass;
  /** Number of equal chunks, or the size of each. */
  readonly chunks: number | readonly number[];
  /** Seconds of the stages of a chunk. */
  readonly times: StageTimes;
  /** Seconds of a computation before all chunks; default none. */
  readonly before?: number;
  /** Seconds of a computation after all chunks; default none. */
  readonly after?: number;
  /** Backward: gate gradient and its all-reduce, in seconds, needed by nothing; default none. */
  readonly gate?: { readonly compute: number; readonly allReduce: number };
}

/**
 * The graph of a pass with given times, and its costs; of one rank, as all do the same.
 *
 * ```ts
 * import { exactSchedule } from "@schemoe/lab";
 * import { timedGraph } from "@schemoe/lab/graph";
 * const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
 * console.assert(exactSchedule(graph, costs).seconds === 6);
 * ```
 * @throws {SchemoeError} naming a time or size that is no number of at least 0.
 */
export function timedGraph(options: TimedOptions): { graph: TaskGraph; costs: Costs } {
  expect("timedGraph", "options", options, TIMED_GRAPH_OPTIONS);
  const { pass = "forward", chunks, times, before, after, gate } = options;
  const foreign = Object.keys(times).find((stage) => !STAGES.includes(stage));
  if (foreign) {
    throw new SchemoeError(
      `Cannot make the graph: "${foreign}" is not a stage (${STAGES.join(", ")})`,
    );
  }
  const sizes = typeof chunks === "number" ? equalSizes(chunks) : chunks;
  const timed = new TimedBuilder(pass, sizes.length);
  const first = before === undefined
    ? []
    : [timed.add("opaque", "before", { chunk: -1, stage: 0, after: [] }, before)];
  const done = sizes.flatMap((size, chunk) => {
    if (!(typeof size === "number" && size >= 0 && size < Infinity)) {
      throw new SchemoeError(`Cannot make the graph: chunk ${chunk} has size ${size}`);
    }
    return timed.chunk(chunk, size, times, first);
  });
  if (after !== undefined) {
    timed.add("opaque", "after", { chunk: sizes.length, stage: 20, after: done }, after);
  }
  if (gate) timed.gate(gate, first);
  return timed.build();
}

const STAGES = ["C1", "A1", "D1", "E", "Ei", "Ew", "C2", "A2", "D2"];

function equalSizes(chunks: number): number[] {
  if (!Number.isInteger(chunks) || chunks < 1) {
    throw new SchemoeError(
      `Cannot make the graph: chunks must be a positive integer or a list of sizes, got ${
        quoted(chunks)
      }`,
    );
  }
  return Array.from({ length: chunks }, () => 1);
}

type Place = { readonly chunk: number; readonly stage: number; readonly after: readonly Task[] };

class TimedBuilder {
  readonly #g: GraphBuilder;
  readonly #seconds = new Map<Task, number>();
  #weights?: Task;

  constructor(pass: Pass, readonly chunks: number) {
    this.#g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 1 }), pass, chunks);
  }

  add(
    kind: TaskKind,
    label: string,
    place: Place & { name?: string; lane?: Task["lane"] },
    seconds: number,
  ): Task {
    if (!(typeof seconds === "number" && seconds >= 0 && seconds < Infinity)) {
      throw new SchemoeError(
        `Cannot make the graph: ${label} takes ${seconds} s, a number of at least 0 is needed`,
      );
    }
    const task = this.#g.add({ kind, label, ...place });
    this.#seconds.set(task, seconds);
    return task;
  }

  /** All stages of a chunk; gives the tasks that end it. */
  chunk(chunk: number, size: number, times: StageTimes, first: readonly Task[]): Task[] {
    let last = [...first];
    const compute = (kind: TaskKind, label: keyof StageTimes, stage: number) => {
      const seconds = times[label];
      if (seconds === undefined) return;
      last = [this.add(kind, label, { chunk, stage, after: last }, seconds as number * size)];
    };
    const exchange = (label: "A1" | "A2", stage: number) => {
      if (times[label] !== undefined) {
        last = this.#exchange(label, times[label], { chunk, stage, after: last }, size);
      }
    };
    compute("compress", "C1", 1);
    exchange("A1", 2);
    compute("decompress", "D1", 3);
    compute("expert", "E", 4);
    compute("expertInputGrad", "Ei", 4);
    if (times.Ew !== undefined) {
      const after = this.#weights ? [...last, this.#weights] : last;
      this.#weights = this.add(
        "expertWeightGrad",
        "Ew",
        { chunk, stage: 5, after },
        times.Ew * size,
      );
    }
    compute("compress", "C2", 6);
    exchange("A2", 7);
    compute("decompress", "D2", 8);
    return last;
  }

  gate(
    { compute, allReduce }: { compute: number; allReduce: number },
    first: readonly Task[],
  ): void {
    const at = { chunk: this.chunks };
    const gate = this.add("gate", "gate", { ...at, stage: 10, after: first }, compute);
    this.add("allReduce", "AR", { ...at, stage: 11, after: [gate], lane: "inter" }, allReduce);
  }

  build(): { graph: TaskGraph; costs: Costs } {
    const graph = this.#g.build({});
    const seconds = (task: Task) => this.#seconds.get(task) ?? NaN;
    return { graph, costs: { source: "written down", seconds } };
  }

  #exchange(label: "A1" | "A2", times: number | PhaseTimes, place: Place, size: number): Task[] {
    if (typeof times === "number") {
      return [this.add("allToAll", label, { ...place, lane: "inter" }, times * size)];
    }
    const phase = (lane: "intra" | "inter", after: readonly Task[]) =>
      this.add("allToAll", label, {
        ...place,
        after,
        lane,
        name: `${label}[${place.chunk}] ${lane}`,
      }, times[lane] * size);
    if (!times.chained) return [phase("intra", place.after), phase("inter", place.after)];
    const lanes = label === "A1" ? ["intra", "inter"] as const : ["inter", "intra"] as const;
    return [phase(lanes[1], [phase(lanes[0], place.after)])];
  }
}
