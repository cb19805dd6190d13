/** Partial schedules: appending tasks, and lower bounds of the cost to finish. @module */
import { LANE_COUNT, type Problem } from "./problem.ts";

/**
 * Numbers of a partial schedule: when each lane is free, then when each task ended, rank after rank.
 * Ends that no open task waits for are 0, so that partial schedules with the same tasks compare.
 */
export function recordSize({ tasks, ranks }: Problem): number {
  return (LANE_COUNT + tasks) * ranks;
}

/** Works on one record at a time; `counts` are the scheduled tasks of each group. */
export class Workbench {
  readonly record: Float64Array;
  readonly counts: Uint16Array;
  /** End of each task if all open ones began as soon as their own lane and predecessors allow. */
  readonly ends: Float64Array;
  /** When each open task's lane and predecessors allow it, on a rank; a phase also waits for peers. */
  readonly #posts: Float64Array;
  readonly #posted: Float64Array;
  /** For each rank and lane, its tasks by tail, the longest first. */
  readonly #byTail: readonly Int32Array[];
  /** For each rank and lane, the earliest post of an open task. */
  readonly #earliest: Float64Array;

  constructor(readonly problem: Problem) {
    const { tasks, ranks, tail, lane, groups } = problem;
    this.record = new Float64Array(recordSize(problem));
    this.counts = new Uint16Array(groups.length);
    this.ends = new Float64Array(tasks * ranks);
    this.#posts = new Float64Array(tasks * ranks);
    this.#posted = new Float64Array(ranks);
    this.#earliest = new Float64Array(LANE_COUNT * ranks);
    const all = Int32Array.from({ length: tasks }, (_, id) => id);
    this.#byTail = Array.from({ length: ranks * LANE_COUNT }, (_, i) => {
      const rank = Math.floor(i / LANE_COUNT);
      return all.filter((id) => lane[id] === i % LANE_COUNT)
        .sort((a, b) => tail[b * ranks + rank] - tail[a * ranks + rank]);
    });
  }

  /** The first open task of a group if all it depends on is scheduled, else -1. */
  eligible(group: number): number {
    const { groups, before, group: groupOf, place } = this.problem;
    const at = this.counts[group];
    if (at >= groups[group].length) return -1;
    const task = groups[group][at];
    for (const earlier of before[task]) {
      if (place[earlier] >= this.counts[groupOf[earlier]]) return -1;
    }
    return task;
  }

  /** Puts a task that is eligible at the end of its lane. */
  append(task: number): void {
    const { ranks, lane, seconds, before, peers, group } = this.problem;
    const { record } = this;
    const lanes = lane[task] * ranks;
    const ends = (LANE_COUNT + task) * ranks;
    for (let rank = 0; rank < ranks; rank++) {
      let post = record[lanes + rank];
      for (const earlier of before[task]) {
        post = Math.max(post, record[(LANE_COUNT + earlier) * ranks + rank]);
      }
      this.#posted[rank] = post;
    }
    for (let rank = 0; rank < ranks; rank++) {
      record[lanes + rank] = record[ends + rank] = this.#begin(peers[task], rank) +
        seconds[task * ranks + rank];
    }
    this.counts[group[task]]++;
  }

  /**
   * A lower bound of the makespan of all ways to finish the schedule: chains of open tasks, and for each
   * lane the sets of open tasks with tails of at least some length. Fills `ends`.
   */
  bound(): number {
    const { ranks } = this.problem;
    this.#fillEnds();
    let bound = 0;
    for (let rank = 0; rank < ranks; rank++) {
      for (let lane = 0; lane < LANE_COUNT; lane++) {
        bound = Math.max(bound, this.#laneBound(rank, lane));
      }
    }
    return bound;
  }

  #begin(peers: readonly Int32Array[] | undefined, rank: number): number {
    let begin = this.#posted[rank];
    if (peers) { for (const peer of peers[rank]) begin = Math.max(begin, this.#posted[peer]); }
    return begin;
  }

  #fillEnds(): void {
    const { tasks, ranks, lane, seconds, before, peers, group, groups, place } = this.problem;
    const { record, ends, counts } = this;
    for (let task = 0; task < tasks; task++) {
      const open = place[task] >= counts[group[task]];
      if (!open) {
        for (let rank = 0; rank < ranks; rank++) {
          ends[task * ranks + rank] = record[(LANE_COUNT + task) * ranks + rank];
        }
        continue;
      }
      // an open one; those scheduled are in the lane, and their ends may be what successors need instead
      const previous = place[task] > counts[group[task]]
        ? groups[group[task]][place[task] - 1]
        : -1;
      for (let rank = 0; rank < ranks; rank++) {
        let post = record[lane[task] * ranks + rank];
        if (previous >= 0) post = Math.max(post, ends[previous * ranks + rank]);
        for (const earlier of before[task]) post = Math.max(post, ends[earlier * ranks + rank]);
        this.#posted[rank] = this.#posts[task * ranks + rank] = post;
      }
      for (let rank = 0; rank < ranks; rank++) {
        ends[task * ranks + rank] = this.#begin(peers[task], rank) + seconds[task * ranks + rank];
      }
    }
  }

  #laneBound(rank: number, lane: number): number {
    const { ranks, seconds, tail, group, place } = this.problem;
    const { ends, counts } = this;
    let bound = this.record[lane * ranks + rank];
    let head = Infinity;
    let post = Infinity;
    let work = 0;
    for (const task of this.#byTail[rank * LANE_COUNT + lane]) {
      if (place[task] < counts[group[task]]) continue;
      const at = task * ranks + rank;
      head = Math.min(head, ends[at] - seconds[at]);
      post = Math.min(post, this.#posts[at]);
      work += seconds[at];
      bound = Math.max(bound, head + work + tail[at], ends[at] + tail[at]);
    }
    this.#earliest[lane * ranks + rank] = post;
    return bound;
  }

  /**
   * Forgets what cannot matter any more: a lane is not needed before its first open task can start, an
   * end not before the lanes of its successors are. After `bound()`.
   */
  normalize(): void {
    const { tasks, ranks, lane, successors, group, place } = this.problem;
    const { record, counts } = this;
    for (let i = 0; i < LANE_COUNT * ranks; i++) {
      if (this.#earliest[i] < Infinity) record[i] = Math.max(record[i], this.#earliest[i]);
    }
    for (let task = 0; task < tasks; task++) {
      if (place[task] >= counts[group[task]]) continue;
      for (let rank = 0; rank < ranks; rank++) {
        const at = (LANE_COUNT + task) * ranks + rank;
        if (record[at] === 0) continue;
        let needed = Infinity;
        for (const other of successors[task]) {
          if (place[other] >= counts[group[other]]) {
            needed = Math.min(needed, record[lane[other] * ranks + rank]);
          }
        }
        record[at] = needed === Infinity ? 0 : Math.max(record[at], needed);
      }
    }
  }
}
