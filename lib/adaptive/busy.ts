/** What operations that ran at the same time needed of the processor that they share. @module */

/** When one ran, and what it takes alone, where that is known. */
export interface Busy {
  readonly begun: number;
  readonly end: number;
  readonly alone?: number;
}

/**
 * Seconds of the processor that each needed: at any time it is divided among those that run by how fast each gets done
 * what it takes alone. One that mostly waited in a queue so needs little; all together need what they cover.
 */
export function busySeconds(operations: readonly Busy[]): number[] {
  const pace = operations.map(({ begun, end, alone }) =>
    alone === undefined ? 1 : Math.min(1, alone / (end - begun))
  );
  const changes = operations.flatMap(({ begun, end }, i) => [
    { time: begun, begins: true, i },
    { time: end, begins: false, i },
  ]).toSorted((a, b) => a.time - b.time);
  const busy = operations.map(() => 0);
  const running = new Set<number>();
  let since = 0;
  for (const { time, begins, i } of changes) {
    let all = 0;
    for (const one of running) all += pace[one];
    for (const one of running) busy[one] += (time - since) * pace[one] / all;
    since = time;
    if (begins) running.add(i);
    else running.delete(i);
  }
  return busy;
}
