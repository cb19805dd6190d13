/** Samples for fits, out of runs. @module */
import {
  kindOf,
  median,
  phaseWorkOf,
  type ProcessorsFit,
  relativeSpread,
  type Sample,
  workOf,
} from "../profile/mod.ts";
import type { EventTable, Program } from "../engine.ts";
import type { Topology } from "../types.ts";
import { freeProcessors } from "./free.ts";
import { busySeconds } from "./busy.ts";
import { observe, type Observed, overlapOf, takenBy } from "./observe.ts";

/** Measurements of one task: by its features, all ranks and repeats. */
class Group {
  readonly #known = { alone: [] as number[], together: [] as number[] };
  readonly #busy: number[] = [];
  #seconds?: number;

  constructor(
    readonly kind: string,
    /** What its time depends on, with products in whole tiles of a size. */
    readonly features: (tile: number) => readonly number[],
  ) {}

  add(seconds: number, how: "alone" | "together"): void {
    this.#known[how].push(seconds);
    this.#seconds = undefined;
  }

  /** What its processor was busy with it, of the ranks that shared it at that time. */
  addBusy(seconds: number): void {
    this.#busy.push(seconds);
  }

  /**
   * What it takes with its machine to itself: in a run computation finds its operands in cache and alone it does not,
   * but in a run others hold it up.
   */
  get seconds(): number {
    const { alone, together } = this.#known;
    return this.#seconds ??= Math.min(
      ...[alone, together].filter((list) => list.length > 0).map(median),
    );
  }

  busy(tile: number): Sample | undefined {
    if (this.#busy.length === 0) return undefined;
    const seconds = median(this.#busy);
    return { features: this.features(tile), seconds, noise: relativeSpread(this.#busy) };
  }

  sample(tile: number): Sample {
    const { alone, together } = this.#known;
    const noise = relativeSpread(together.length > 0 ? together : alone);
    return { features: this.features(tile), seconds: this.seconds, noise };
  }
}

/** Runs of one Program: as always, and where they were needed those in which each task ran alone. */
export interface Measurement {
  readonly program: Program;
  readonly runs: readonly EventTable[];
  readonly alone?: { readonly program: Program; readonly runs: readonly EventTable[] };
}

/** Samples of each kind, and what they come from. */
export class Collected {
  readonly #groups = new Map<string, Group>();
  readonly measured: Measurement[] = [];
  #paced = { transfers: false, computation: false };

  constructor(readonly topology: Topology) {}

  add(measured: Measurement): void {
    const { program, runs, alone } = measured;
    this.measured.push(measured);
    for (const events of alone?.runs ?? []) {
      for (const one of observe(alone!.program, events)) {
        if (!one.task.transfers) this.#groupOf(one)?.add(one.end - one.begun, "alone");
      }
    }
    for (const events of runs) {
      const observed = observe(program, events);
      this.#addBusy(observed);
      for (const one of observed) {
        if (one.paced > 0) this.#paced[one.task.transfers ? "transfers" : "computation"] = true;
        if (takenBy(one) > 0) this.#groupOf(one)?.add(takenBy(one), "together");
      }
    }
  }

  /** Of the time that computations of all ranks cover, each needs its part. */
  #addBusy(observed: readonly Observed[]): void {
    const computing = observed.filter(({ task, begun, end }) => !task.transfers && end > begun)
      .map((one) => ({ one, group: this.#groupOf(one) }));
    const busy = busySeconds(
      computing.map(({ one, group }) => ({ ...one, alone: group?.seconds })),
    );
    const sums = new Map<Group, number[]>();
    for (const [i, { group }] of computing.entries()) {
      if (group) sums.set(group, [...sums.get(group) ?? [], busy[i]]);
    }
    for (const [group, list] of sums) {
      group.addBusy(list.reduce((sum, seconds) => sum + seconds, 0) / list.length);
    }
  }

  /** By kind of work. */
  samples(tile = 1): Map<string, Sample[]> {
    return this.#byKind((group) => [group.sample(tile)]);
  }

  /** By kind of work: seconds that a processor was busy, where ranks share one. */
  busy(tile = 1): Map<string, Sample[]> {
    return this.#byKind((group) => [group.busy(tile)].filter((sample) => sample !== undefined));
  }

  #byKind(samplesOf: (group: Group) => Sample[]): Map<string, Sample[]> {
    const kinds = Map.groupBy(this.#groups.values(), ({ kind }) => kind).entries();
    return new Map(kinds.map(([kind, groups]) => [kind, groups.flatMap(samplesOf)]));
  }

  #groupOf({ task, rank }: Observed): Group | undefined {
    if (!task.transfers && !task.kernels) return undefined;
    const kind = kindOf(task);
    const features = task.transfers ? phaseWorkOf(this.topology, task, rank) : workOf(task, rank);
    if (task.transfers && features.every((value, i) => i === 0 || value === 0)) return undefined;
    const key = `${kind} ${task.label} ${task.lane} ${features}`;
    const of = (tile: number) => task.transfers ? features : workOf(task, rank, tile);
    const group = this.#groups.get(key) ?? new Group(kind, of);
    this.#groups.set(key, group);
    return group;
  }

  /** Whether transfers are paced, so that they need no processor while they last, and whether computation is. */
  get paced(): { readonly transfers: boolean; readonly computation: boolean } {
    return this.#paced;
  }
}

/** Least and most that is believed of a slow-down. */
const NONE = 0.05;
export const MOST_SLOWDOWN = 16;

/** 1 where it is as good as none. */
export const believed = (factor: number): number =>
  factor < 1 + NONE || !Number.isFinite(factor) ? 1 : Math.min(MOST_SLOWDOWN, factor);

/** From this part of an operation on that the other kind overlaps, it tells about the slow-down; up to that, of none. */
const TELLING = 0.3;
const UNDISTURBED = 0.05;

/** How long an operation took beside what it was expected to, and the part of it that the other kind overlapped. */
interface Beside {
  readonly kind: "compute" | "communication";
  readonly part: number;
  readonly factor: number;
  readonly weight: number;
}

/**
 * How many times longer computation takes while its rank transfers, and the other way round: from the part of each
 * operation that the other kind overlapped, against its expected time. A part o that runs at the rate 1 / c
 * gives expected / taken = 1 - o (1 - 1 / c). The median over operations by their time. Operations that nothing overlaps
 * tell by how much all of these runs are longer or shorter than expected, which is no slow-down.
 * @param runs of the same Program; of each operation the median counts.
 * @param expected seconds of an operation alone on its rank.
 * @param processors where lanes take turns on them, operations tell of which no lane waited for one meanwhile.
 */
export function slowdownsOf(
  runs: readonly (readonly Observed[])[],
  expected: (operation: Observed) => number,
  processors?: ProcessorsFit,
): { compute: Told[]; communication: Told[] } {
  const beside = besideOf(runs, expected, processors);
  const of = (kind: Beside["kind"]): Told[] => {
    const [overlapped, alone] = [
      beside.filter((one) => one.kind === kind && one.part >= TELLING),
      beside.filter((one) => one.kind === kind && one.part <= UNDISTURBED),
    ];
    const always = weightedMedian(alone);
    return overlapped.map(({ part, factor, weight }) => {
      const lost = Math.min(0.95, (1 - always / factor) / part);
      return { factor: 1 / (1 - lost), weight };
    });
  };
  return { compute: of("compute"), communication: of("communication") };
}

function besideOf(
  runs: readonly (readonly Observed[])[],
  expected: (operation: Observed) => number,
  processors?: ProcessorsFit,
): Beside[] {
  const turns = processors?.turns;
  const capacity = turns || !processors ? Infinity : processors.capacity;
  const found: Beside[] = [];
  for (const i of runs[0]?.keys() ?? []) {
    const one = runs.map((run) => run[i]).toSorted((a, b) => takenBy(a) - takenBy(b))[
      Math.floor((runs.length - 1) / 2)
    ];
    const operations = runs.find((run) => run[i] === one)!;
    const computes = !one.task.transfers;
    if (turns && !freeProcessors(operations, { ...processors, turns }).throughout(one)) continue;
    const weight = one.end - one.begun;
    if (!(weight > 0)) continue;
    const part = shareOf(
      one,
      operations.filter(({ task, rank }) => rank === one.rank && !task.transfers !== computes),
    );
    const alike = operations.filter((other) =>
      other !== one && !other.task.transfers &&
      processors?.of?.[other.rank] === processors?.of?.[one.rank]
    );
    const sharing = computes ? Math.max(1, (1 + shareOf(one, alike, Infinity)) / capacity) : 1;
    const factor = takenBy(one) / (expected(one) * sharing);
    found.push({ kind: computes ? "compute" : "communication", part, factor, weight });
  }
  return found;
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
