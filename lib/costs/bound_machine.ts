/** Least time of one machine whose jobs have heads and tails. @module */

/** Jobs of one machine: job i is ready at `head`, takes `seconds`, and `tail` must follow it. */
export interface Jobs {
  readonly head: Float64Array;
  readonly seconds: Float64Array;
  readonly tail: Float64Array;
}

/**
 * Length of Jackson's preemptive schedule: at any time the ready job with the longest tail runs. No
 * schedule of the machine is shorter, and it equals the largest over subsets of jobs of least head +
 * sum + least tail (Carlier, "The one-machine sequencing problem", EJOR 11, 1982).
 */
export function oneMachineBound({ head, seconds, tail }: Jobs): number {
  const jobs = [...head.keys()].sort((a, b) => head[a] - head[b]);
  const ready: number[] = []; // by tail, the longest last
  const left = Float64Array.from(seconds);
  let now = 0;
  let bound = 0;
  let next = 0;
  while (next < jobs.length || ready.length > 0) {
    if (ready.length === 0) now = Math.max(now, head[jobs[next]]);
    for (; next < jobs.length && head[jobs[next]] <= now; next++) insert(ready, jobs[next], tail);
    const job = ready[ready.length - 1];
    const until = next < jobs.length ? head[jobs[next]] : Infinity;
    if (now + left[job] > until) {
      left[job] -= until - now;
      now = until;
    } else {
      now += left[job];
      ready.pop();
      bound = Math.max(bound, now + tail[job]);
    }
  }
  return bound;
}

/** Puts a job behind those with equal and shorter tails. */
function insert(ready: number[], job: number, tail: Float64Array): void {
  let [begin, end] = [0, ready.length];
  while (begin < end) {
    const middle = (begin + end) >> 1;
    if (tail[ready[middle]] > tail[job]) end = middle;
    else begin = middle + 1;
  }
  ready.splice(begin, 0, job);
}

/**
 * The same for `capacity` machines that share jobs freely: the largest over tails q, and over heads, of
 * least head + work / capacity + least tail.
 */
export function sharedMachineBound(jobs: Jobs, capacity: number): number {
  return Math.max(
    thresholds(jobs.tail, jobs.head, jobs.seconds, capacity),
    thresholds(jobs.head, jobs.tail, jobs.seconds, capacity),
  );
}

/** Jobs from the largest `key` down: that key, their work, and the least `other` among them. */
function thresholds(
  key: Float64Array,
  other: Float64Array,
  seconds: Float64Array,
  capacity: number,
): number {
  let bound = 0;
  let work = 0;
  let least = Infinity;
  for (const job of [...key.keys()].sort((a, b) => key[b] - key[a])) {
    work += seconds[job];
    least = Math.min(least, other[job]);
    bound = Math.max(bound, key[job] + work / capacity + least);
  }
  return bound;
}
