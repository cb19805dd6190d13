/**
 * A search for the shortest order: layer by layer over the number of tasks scheduled, with bounds,
 * dominance, and a width that grows until nothing is cut off.
 * @module
 */
import type { KnownOrder } from "./known.ts";
import { Layer, type Shape } from "./layer.ts";
import { LANE_COUNT, type Problem } from "./problem.ts";
import { recordSize, Workbench } from "./state.ts";

/** Relative difference of makespans that counts as none. */
const PRECISION = 1e-12;
const FIRST_WIDTH = 8;
const WIDENING = 8;
/** Bytes of records that a layer may be cut down to. */
const MOST_BYTES = 64e6;
/** Partial schedules between two looks at the clock. */
const PATIENCE = 32;

/** The best order found, and bounds of the optimum. */
export interface Found {
  readonly order: readonly number[];
  readonly seconds: number;
  /** No order takes less. */
  readonly bound: number;
  /** Partial schedules that were looked at. */
  readonly states: number;
}

/** An order to improve, and a time below which none can come. */
export interface Start extends KnownOrder {
  readonly bound: number;
}

/** Improves a known order until it is proven optimal or `expired()`. */
export function search(
  problem: Problem,
  known: Start,
  expired: () => boolean,
): Found {
  const run = new Search(problem, known, expired);
  const widest = Math.max(FIRST_WIDTH, Math.floor(MOST_BYTES / (8 * recordSize(problem))));
  for (let width = FIRST_WIDTH; run.open; width = Math.min(widest, width * WIDENING)) {
    run.pass(width);
    if (width === widest || expired()) break;
  }
  return {
    order: run.order,
    seconds: run.seconds,
    bound: Math.min(run.bound, run.seconds),
    states: run.states,
  };
}

class Search {
  order: readonly number[];
  seconds: number;
  bound: number;
  states = 0;
  readonly #bench: Workbench;
  readonly #shape: Shape;

  constructor(
    readonly problem: Problem,
    known: Start,
    readonly expired: () => boolean,
  ) {
    this.order = known.order;
    this.seconds = known.seconds;
    this.#bench = new Workbench(problem);
    this.#shape = {
      recordSize: recordSize(problem),
      groups: problem.groups.length,
      key: keyOf(problem),
    };
    this.bound = Math.max(known.bound, this.#bench.bound());
  }

  /** Whether something shorter than the best order may be left. */
  get open(): boolean {
    return this.bound < this.#limit;
  }

  get #limit(): number {
    return this.seconds * (1 - PRECISION);
  }

  /** Goes through all layers, keeping at most `width` partial schedules of each. */
  pass(width: number): void {
    let cut = Infinity;
    let layer = new Layer(this.#shape, 1);
    layer.add({ ...this.#empty(), bound: this.bound, parent: -1, task: -1 }, 0);
    let kept: Int32Array = Int32Array.of(0);
    const trace: { parents: Int32Array; tasks: Int32Array }[] = [];
    for (let depth = 0; depth < this.problem.tasks && kept.length > 0; depth++) {
      const next = new Layer(this.#shape, 2 * kept.length);
      const left = this.#expand(layer, kept, next);
      if (left < Infinity) {
        const waiting = next.bounds.subarray(0, next.size).reduce(
          (a, b) => Math.min(a, b),
          Infinity,
        );
        cut = Math.min(cut, left, waiting);
        break;
      }
      const selected = next.select(width, this.#limit);
      cut = Math.min(cut, selected.cut);
      kept = selected.kept;
      trace.push({
        parents: kept.map((at) => next.parents[at]),
        tasks: kept.map((at) => next.tasks[at]),
      });
      layer = next;
    }
    if (trace.length === this.problem.tasks && kept.length > 0) this.#accept(trace, kept, layer);
    this.bound = Math.max(this.bound, Math.min(cut, this.seconds));
  }

  /** Adds the children of partial schedules to the next layer; gives the least bound of those left when time is up. */
  #expand(layer: Layer, kept: Int32Array, next: Layer): number {
    const { recordSize, groups } = this.#shape;
    const { record, counts } = this.#bench;
    for (let i = 0; i < kept.length; i++) {
      if (++this.states % PATIENCE === 0 && this.expired()) {
        return kept.subarray(i).reduce((least, at) => Math.min(least, layer.bounds[at]), Infinity);
      }
      const at = kept[i];
      const parentRecord = layer.records.subarray(at * recordSize, (at + 1) * recordSize);
      const parentCounts = layer.counts.subarray(at * groups, (at + 1) * groups);
      record.set(parentRecord);
      counts.set(parentCounts);
      this.#bench.bound();
      for (const task of this.#candidates()) {
        record.set(parentRecord);
        counts.set(parentCounts);
        this.#bench.append(task);
        const bound = Math.max(this.#bench.bound(), layer.bounds[at]);
        if (bound >= this.#limit) continue;
        this.#bench.normalize();
        next.add({ record, counts, bound, parent: i, task }, this.seconds * PRECISION / 8);
      }
    }
    return Infinity;
  }

  /**
   * Tasks of which some optimal completion puts one next. If one task ends first on all ranks, any
   * completion can put it, or one that it would delay, next on its lane (Giffler and Thompson, 1960; such
   * schedules may idle a lane on purpose). Else any task may be next that could not wait for another one
   * of its lane without loss.
   */
  #candidates(): number[] {
    const { groups, lane } = this.problem;
    const eligible: number[] = [];
    for (let group = 0; group < groups.length; group++) {
      const task = this.#bench.eligible(group);
      if (task >= 0) eligible.push(task);
    }
    const first = eligible.find((task) =>
      eligible.every((other) => this.#endsNoLater(task, other))
    );
    if (first !== undefined) {
      return eligible.filter((task) =>
        task === first || (lane[task] === lane[first] && !this.#fitsBefore(first, task))
      );
    }
    return eligible.filter((task) =>
      !eligible.some((other) =>
        other !== task && lane[other] === lane[task] && this.#fitsBefore(other, task) &&
        (other < task || !this.#fitsBefore(task, other))
      )
    );
  }

  #endsNoLater(a: number, b: number): boolean {
    const { ranks } = this.problem;
    for (let rank = 0; rank < ranks; rank++) {
      if (this.#bench.ends[a * ranks + rank] > this.#bench.ends[b * ranks + rank]) return false;
    }
    return true;
  }

  /** Whether a task can run before another one of its lane without delaying it on any rank. */
  #fitsBefore(a: number, b: number): boolean {
    const { ranks, lane, before } = this.problem;
    const { ends, record } = this.#bench;
    for (let rank = 0; rank < ranks; rank++) {
      let post = record[lane[b] * ranks + rank];
      for (const earlier of before[b]) {
        post = Math.max(post, record[(LANE_COUNT + earlier) * ranks + rank]);
      }
      if (ends[a * ranks + rank] > post) return false;
    }
    return true;
  }

  #accept(
    trace: readonly { parents: Int32Array; tasks: Int32Array }[],
    kept: Int32Array,
    last: Layer,
  ): void {
    let best = 0;
    kept.forEach((at, i) => best = last.bounds[at] < last.bounds[kept[best]] ? i : best);
    if (!(last.bounds[kept[best]] < this.seconds)) return;
    this.seconds = last.bounds[kept[best]];
    const order: number[] = [];
    for (const { parents, tasks } of trace.toReversed()) {
      order.push(tasks[best]);
      best = parents[best];
    }
    this.order = order.reverse();
  }

  #empty() {
    this.#bench.record.fill(0);
    this.#bench.counts.fill(0);
    return { record: this.#bench.record, counts: this.#bench.counts };
  }
}

/** A number for counts of tasks: unique where there are few enough, else a sum of random weights. */
function keyOf({ groups }: Problem): Shape["key"] {
  const weights = new Float64Array(groups.length);
  let radix = 1;
  for (const [i, { length }] of groups.entries()) {
    weights[i] = radix;
    radix *= length + 1;
  }
  if (radix > Number.MAX_SAFE_INTEGER) {
    let seed = 1;
    for (let i = 0; i < weights.length; i++) {
      seed = (seed * 48271) % 0x7fffffff;
      weights[i] = seed * 1024 + i;
    }
  }
  return (counts) => {
    let key = 0;
    for (let i = 0; i < counts.length; i++) key += counts[i] * weights[i];
    return key;
  };
}
