/** The 675 layers of table 4: Tutel's time over ScheMoE's. @module */
import { aNumber, aSize, expect, listOf, record } from "../../arguments/mod.ts";
import { progress } from "../../timeline/mod.ts";
import { Predictor } from "./predict.ts";
import { gridLayers, layerOf } from "./workloads.ts";

const GRID_OF_RATIOS = listOf(
  record("a ratio and its layers { ratio, count }", { ratio: aNumber, count: aSize }),
  "ratios",
);

/** Speed-ups of all layers. */
export interface Grid {
  /** Number of layers that were predicted. */
  readonly layers: number;
  /** Mean of the speed-ups. */
  readonly mean: number;
  /** Smallest speed-up. */
  readonly least: number;
  /** Largest speed-up. */
  readonly most: number;
  /** Layers by speed-up, from `from` to below `from + WIDTH`. */
  readonly histogram: readonly { readonly from: number; readonly layers: number }[];
}

/** Width of a bar. */
const WIDTH = 0.1;

/** Speed-ups with counts as mean and histogram. */
export function gridOf(
  ratios: readonly { readonly ratio: number; readonly count: number }[],
): Grid {
  expect("gridOf", "ratios", ratios, GRID_OF_RATIOS);
  const layers = ratios.reduce((sum, { count }) => sum + count, 0);
  const bars = new Map<number, number>();
  let [sum, least, most] = [0, Infinity, 0];
  for (const { ratio, count } of ratios) {
    sum += ratio * count;
    least = Math.min(least, ratio);
    most = Math.max(most, ratio);
    const bar = Math.floor(ratio / WIDTH + 1e-9);
    bars.set(bar, (bars.get(bar) ?? 0) + count);
  }
  const histogram = [...bars].sort(([a], [b]) => a - b)
    .map(([bar, layers]) => ({ from: Math.round(bar * WIDTH * 1e6) / 1e6, layers }));
  return { layers, mean: sum / layers, least, most, histogram };
}

/**
 * Both methods on all layers of the grid.
 * @param options.every of the different layers only each n-th, for a quick look; default all.
 */
export async function paperGrid(
  predictor: Predictor = new Predictor(),
  { every = 1 }: { readonly every?: number } = {},
): Promise<Grid> {
  const chosen = gridLayers().filter((_, i) => i % every === 0);
  const line = progress(chosen.length, "grid of table 4");
  const ratios = [];
  for (const { sizes, count } of chosen) {
    const workload = { layers: 1, layer: layerOf(sizes) };
    const [tutel, scheMoE] = [
      await predictor.step(workload, "Tutel"),
      await predictor.step(workload, "ScheMoE"),
    ];
    ratios.push({ ratio: tutel.seconds / scheMoE.seconds, count });
    line.advance(1, "layers");
  }
  await line.done();
  return gridOf(ratios);
}
