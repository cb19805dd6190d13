/** A Program as arrays of numbers, ready to be simulated. @module */
import { computeSeconds, phaseSeconds, taskSeconds, trafficOf } from "../../costs/mod.ts";
import type { Costs, Launch } from "../../costs/types.ts";
import { LANES, SchemoeError, type Task, type Topology, type TrafficPattern } from "../../types.ts";
import type { Program } from "../../engine.ts";
import { checkRepresentatives } from "./columns.ts";
import { type Columns, makeMeetings, type Meeting } from "./meeting.ts";
import { checkSize } from "./size.ts";

/** Time of one position of the order in each column, with nothing else running. */
export interface Step {
  /** Index in `LANES`. */
  readonly lane: number;
  /** Earlier positions that it waits for. */
  readonly waits: readonly number[];
  readonly seconds: Float64Array;
  /** Part of a processor that it needs, in each column; absent for all of it. */
  readonly widths?: Float64Array;
  /** Kernels that it is made of, each of which waits in a queue by itself. */
  readonly kernels: number;
  readonly launch: Launch;
  /** Who waits for whom; present for communication. */
  readonly meeting?: Meeting;
  /**
   * Its sends apart from what goes through a shared network card or across the spine, these, and its
   * receives.
   */
  readonly phase?: {
    readonly own: Float64Array;
    readonly shared: Float64Array;
    readonly spine: Float64Array;
    readonly receives: Float64Array;
  };
}

export interface Instance {
  readonly topology: Topology;
  readonly columns: Columns;
  readonly steps: readonly Step[];
}

const AT_ONCE: Launch = { begin: 0, next: 0, wait: 0 };

/**
 * Prices all operations of a Program on a topology of the same shape as its own.
 *
 * @param costs seconds alone that take the place of the model's.
 * @throws {SchemoeError} naming the task and rank whose cost is no usable number, or two ranks of which
 * only one exchanges with the other.
 */
export function makeInstance(
  program: Program,
  topology: Topology,
  columns: Columns,
  costs?: Costs,
): Instance {
  checkSize(program.order.length, columns.ranks.length);
  const patterns = new Map<TrafficPattern, string>();
  for (const task of program.order) {
    if (!task.transfers) continue;
    const { pattern } = trafficOf(program.graph.topology, task);
    if (!patterns.has(pattern)) patterns.set(pattern, task.name);
  }
  if (columns.ranks.length < topology.ranks) checkRepresentatives(topology, patterns, columns);
  const meetings = meetingsOf(patterns, columns);
  const { turns } = topology.sharing ?? {};
  const queued = turns !== undefined && turns.slice === undefined;
  const prices = new Prices(program, topology, columns);
  return {
    topology,
    columns,
    steps: program.order.map((task, position) => {
      const priced = prices.of(task);
      const step = costs ? replaced(priced, task, columns, costs) : priced;
      checkSeconds(step.seconds, task, columns);
      return {
        ...step,
        kernels: queued ? Math.max(1, task.kernels?.(columns.ranks[0]).length ?? 1) : 1,
        launch: costs?.launch?.[task.transfers ? "transfer" : "compute"] ?? AT_ONCE,
        lane: LANES.indexOf(task.lane),
        waits: program.waits[position],
        meeting: task.transfers && meetings.get(trafficOf(program.graph.topology, task).pattern),
      };
    }),
  };
}

const known = new WeakMap<TrafficPattern, Map<number, Meeting>>();

/** Meetings of patterns, cached by pattern and number of columns. */
function meetingsOf(patterns: Map<TrafficPattern, string>, columns: Columns) {
  const found = new Map<TrafficPattern, Meeting>();
  const missing = new Map<TrafficPattern, string>();
  const count = columns.ranks.length;
  for (const [pattern, name] of patterns) {
    const meeting = known.get(pattern)?.get(count);
    if (meeting) found.set(pattern, meeting);
    else missing.set(pattern, name);
  }
  for (const [pattern, meeting] of makeMeetings(missing, columns)) {
    if (!known.has(pattern)) known.set(pattern, new Map());
    known.get(pattern)!.set(count, meeting);
    found.set(pattern, meeting);
  }
  return found;
}

type Priced = Pick<Step, "seconds" | "widths" | "phase">;

/** Times of tasks; equal ones share their arrays. */
class Prices {
  readonly #phases = new Map<TrafficPattern, Map<number, Priced>>();
  readonly #compute = new Map<number, Priced>();

  constructor(readonly program: Program, readonly topology: Topology, readonly columns: Columns) {}

  of(task: Task): Priced {
    return task.transfers ? this.#phase(task) : this.#computation(task);
  }

  #computation(task: Task): Priced {
    const { topology, topology: { speed }, columns: { ranks } } = this;
    if (task.rankFlops) {
      return { seconds: Float64Array.from(ranks, (rank) => taskSeconds(topology, task, rank)) };
    }
    const alone = computeSeconds(this.topology, task);
    let priced = this.#compute.get(alone);
    if (!priced) {
      const seconds = new Float64Array(ranks.length).fill(alone);
      if (speed) { for (let i = 0; i < seconds.length; i++) seconds[i] = alone / speed[ranks[i]]; }
      this.#compute.set(alone, priced = { seconds });
    }
    return priced;
  }

  #phase(task: Task): Priced {
    const { pattern, sliceBytes } = trafficOf(this.program.graph.topology, task);
    let sizes = this.#phases.get(pattern);
    if (!sizes) this.#phases.set(pattern, sizes = new Map());
    let priced = sizes.get(sliceBytes);
    if (!priced) sizes.set(sliceBytes, priced = this.#priced(pattern, sliceBytes));
    return priced;
  }

  #priced(pattern: TrafficPattern, sliceBytes: number): Priced {
    const { topology, columns: { ranks } } = this;
    const column = () => new Float64Array(ranks.length);
    const [seconds, own, shared] = [column(), column(), column()];
    const [spine, receives] = [column(), column()];
    for (let i = 0; i < ranks.length; i++) {
      const phase = phaseSeconds(topology, pattern.of(ranks[i]), sliceBytes);
      own[i] = phase.own;
      shared[i] = phase.shared;
      spine[i] = phase.spine;
      receives[i] = phase.receives;
      seconds[i] = Math.max(phase.own + phase.shared + phase.spine, phase.receives);
    }
    return topology.nic || topology.spine
      ? { seconds, phase: { own, shared, spine, receives } }
      : { seconds };
  }
}

/** Times of a table, divided into the parts of a phase as the model does. */
function replaced(priced: Priced, task: Task, columns: Columns, costs: Costs): Priced {
  const seconds = Float64Array.from(columns.ranks, (rank) => costs.seconds(task, rank));
  if (!priced.phase && costs.width) {
    return {
      seconds,
      widths: Float64Array.from(columns.ranks, (rank) => costs.width!(task, rank)),
    };
  }
  if (!priced.phase) return { seconds };
  const scaled = (part: Float64Array, otherwise: (i: number) => number) =>
    part.map((value, i) =>
      priced.seconds[i] > 0 ? value * seconds[i] / priced.seconds[i] : otherwise(i)
    );
  const { own, shared, spine, receives } = priced.phase;
  return {
    seconds,
    phase: {
      own: scaled(own, (i) => seconds[i]),
      shared: scaled(shared, () => 0),
      spine: scaled(spine, () => 0),
      receives: scaled(receives, (i) => seconds[i]),
    },
  };
}

function checkSeconds(seconds: Float64Array, task: Task, columns: Columns): void {
  for (let i = 0; i < seconds.length; i++) {
    if (seconds[i] >= 0 && seconds[i] < Infinity) continue;
    const rank = columns.ranks[i];
    throw new SchemoeError(
      `Cannot simulate: task ${task.name} costs ${
        seconds[i]
      } s on rank ${rank}, not a number of at least 0`,
      { rank },
    );
  }
}
