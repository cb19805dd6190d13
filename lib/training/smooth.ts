/** Means of losses that jump from step to step. @module */

/** A loss at a step. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
}

/** Each loss as the mean of it and those before it, of a fiftieth of all. */
export function smoothed(points: readonly LossPoint[]): LossPoint[] {
  const window = Math.max(1, Math.round(points.length / 50));
  let sum = 0;
  return points.map(({ step, loss }, i) => {
    sum += loss - (points[i - window]?.loss ?? 0);
    return { step, loss: sum / Math.min(i + 1, window) };
  });
}
