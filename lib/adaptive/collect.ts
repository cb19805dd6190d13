/** Samples for fits, out of runs. @module */
import {
  kindOf,
  median,
  phaseWorkOf,
  relativeSpread,
  type Sample,
  workOf,
} from "../profile/mod.ts";
import type { Launch } from "../costs/types.ts";
import type { EventTable, Program } from "../engine.ts";
import type { Task, Topology } from "../types.ts";
import { observe, type Observed, overlapOf, takenBy } from "./observe.ts";

/** Measurements of one task: by its features, all ranks and repeats. */
interface Group {
  readonly kind: string;
  readonly features: readonly number[];
  readonly seconds: number[];
}

/** Runs of one Program: as always, and where they were needed those in which each task ran alone. */
export interface Measurement {
  readonly program: Program;
  readonly runs: readonly EventTable[];
  readonly alone?: { readonly program: Program; readonly runs: readonly EventTable[] };
}

/** Samples of each kind, launches, and how long computation took where all ranks compute. */
export class Collected {
  readonly #groups = new Map<string, Group>();
  readonly launches = { compute: noLaunches(), transfer: noLaunches() };
  /** How many times longer computation took with all ranks at once than alone. */
  readonly together: Told[] = [];

  /** @param queued whether computation waits for a processor where all ranks compute. */
  constructor(readonly topology: Topology, readonly queued: boolean) {}

  add({ program, runs, alone }: Measurement): void {
    const observed = runs.map((events) => observe(program, events));
    for (const operations of observed) {
      for (const operation of operations) {
        this.#launch(operation);
        // computation of a machine that ranks share is not what it takes alone
        if (operation.task.transfers || !alone) {
          this.#measure(operation, takenBy(operation));
        }
      }
    }
    if (alone) this.#alone(alone, observed);
  }

  get empty(): boolean {
    return this.#groups.size === 0;
  }

  /** By kind of work. */
  get samples(): Map<string, Sample[]> {
    const samples = new Map<string, Sample[]>();
    for (const { kind, features, seconds } of this.#groups.values()) {
      const list = samples.get(kind) ?? [];
      samples.set(kind, list);
      list.push({ features, seconds: median(seconds), noise: relativeSpread(seconds) });
    }
    return samples;
  }

  #measure({ task, rank }: Observed, seconds: number): void {
    if (!(seconds > 0) || !task.transfers && !task.kernels) return;
    const kind = kindOf(task);
    const features = task.transfers ? phaseWorkOf(this.topology, task, rank) : workOf(task, rank);
    if (task.transfers && features.every((value, i) => i === 0 || value === 0)) return;
    const key = `${kind} ${task.label} ${task.lane} ${features}`;
    const group = this.#groups.get(key) ?? { kind, features, seconds: [] };
    this.#groups.set(key, group);
    group.seconds.push(seconds);
  }

  #launch({ task, launch, after, paced }: Observed): void {
    // what is paced makes up for what was late
    if (paced === 0) this.launches[task.transfers ? "transfer" : "compute"][after].push(launch);
  }

  #alone(
    alone: NonNullable<Measurement["alone"]>,
    observed: readonly (readonly Observed[])[],
  ): void {
    const times = new Map<Task, number[]>();
    for (const events of alone.runs) {
      for (const one of observe(alone.program, events)) {
        if (one.task.transfers) continue;
        const seconds = one.end - one.begun;
        this.#measure(one, seconds);
        times.set(one.task, [...times.get(one.task) ?? [], seconds]);
      }
    }
    for (const operations of observed) {
      if (this.queued) this.#stretches(operations, times);
      else {
        for (const { task, begun, end } of operations) {
          const own = times.get(task);
          if (!own) continue;
          const weight = median(own);
          this.together.push({ factor: (end - begun) / weight, weight });
        }
      }
    }
  }

  /**
   * Where ranks wait for a processor, each task takes what it takes alone, and some begin later: what all ranks compute
   * between two exchanges takes from the beginning of the first to the end of the last.
   */
  #stretches(operations: readonly Observed[], times: ReadonlyMap<Task, readonly number[]>): void {
    let [alone, begin, end] = [0, Infinity, 0];
    const close = () => {
      if (alone > 0) {
        const weight = alone / this.topology.ranks;
        this.together.push({ factor: (end - begin) / weight, weight });
      }
      [alone, begin, end] = [0, Infinity, 0];
    };
    for (const one of operations) {
      const own = times.get(one.task);
      if (own) {
        alone += median(own);
        begin = Math.min(begin, one.base);
        end = Math.max(end, one.end);
      } else if (one.task.transfers) close();
    }
    close();
  }
}

const noLaunches = (): Record<keyof Launch, number[]> => ({ begin: [], next: [], wait: [] });

/** Least and most that is believed of a slow-down. */
const NONE = 0.05;
const MOST = 16;

/** 1 where it is as good as none. */
export const believed = (factor: number): number =>
  factor < 1 + NONE || !Number.isFinite(factor) ? 1 : Math.min(MOST, factor);

/** From this part of an operation on that the other kind overlaps, it tells about the slow-down. */
const TELLING = 0.3;

/**
 * How many times longer computation takes while its rank transfers, and the other way round: from the part of each
 * operation that the other kind overlapped, against its expected time. A part o that runs at the rate 1 / c
 * gives expected / taken = 1 - o (1 - 1 / c). The median over operations by their time.
 * @param runs of the same Program; of each operation the median counts.
 * @param expected seconds of an operation alone on its rank.
 * @param capacity number of ranks that compute at full speed at once.
 */
export function slowdownsOf(
  runs: readonly (readonly Observed[])[],
  expected: (operation: Observed) => number,
  capacity: number,
): { compute: Told[]; communication: Told[] } {
  const told = { compute: [] as Told[], communication: [] as Told[] };
  for (const i of runs[0]?.keys() ?? []) {
    const one = runs.map((run) => run[i]).toSorted((a, b) => takenBy(a) - takenBy(b))[
      Math.floor((runs.length - 1) / 2)
    ];
    const operations = runs.find((run) => run[i] === one)!;
    const computes = !one.task.transfers;
    const length = one.end - one.begun;
    if (!(length > 0)) continue;
    const others = operations.filter(({ task, rank }) =>
      rank === one.rank && !task.transfers !== computes
    );
    const part = shareOf(one, others);
    if (part < TELLING) continue;
    const alike = operations.filter((other) => other !== one && !other.task.transfers);
    const sharing = computes ? Math.max(1, (1 + shareOf(one, alike, Infinity)) / capacity) : 1;
    const lost = Math.min(0.95, (1 - expected(one) * sharing / takenBy(one)) / part);
    told[computes ? "compute" : "communication"].push({ factor: 1 / (1 - lost), weight: length });
  }
  return told;
}

/** A slow-down observed in one operation, and its weight. */
export interface Told {
  readonly factor: number;
  readonly weight: number;
}

/** The factor that half of the weight lies below. */
export function weightedMedian(told: readonly Told[]): number {
  const sorted = told.toSorted((a, b) => a.factor - b.factor);
  const half = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let sum = 0;
  return sorted.find(({ weight }) => (sum += weight) >= half)?.factor ?? 1;
}

function shareOf(one: Observed, others: readonly Observed[], most = 1): number {
  const together = others.reduce((sum, other) => sum + overlapOf(one, other), 0);
  return Math.min(most, together / (one.end - one.begun));
}
