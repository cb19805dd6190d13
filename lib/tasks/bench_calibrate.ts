/** Sizes a layer so that its communication takes about as long as its computation. @module */
import { type LayerConfig, resolveLayer } from "../layer/mod.ts";
import type { Costs, Engine, TaskGraph } from "../types.ts";
import { LayerParts } from "./bench_parts.ts";

/** What the passes of a layer take alone, in seconds of both passes together. */
export interface Balance {
  /** All computation, no communication: all ranks at once. */
  readonly computation: number;
  /** All communication, no computation. */
  readonly communication: number;
  /** Computation of all ranks task after task, over what it takes at once on a shared processor. */
  readonly gain: number;
}

/** A layer with what it takes. */
export interface Balanced {
  readonly config: LayerConfig;
  readonly balance: Balance;
  /** The two sizes that were measured first. */
  readonly tried: readonly (readonly [hiddenDim: number, balance: Balance])[];
}

const PASSES = ["forward", "backward"] as const;

/**
 * Measures a layer with two hidden sizes and takes the one between or beyond them at which computation
 * and communication (`linear`, no codec, one chunk) of both passes take the same time, as computation
 * grows evenly with the hidden size.
 */
export async function balancedLayer(
  engine: Engine,
  config: Omit<LayerConfig, "hiddenDim">,
  options: {
    tried: readonly [number, number];
    multiple: number;
    most: number;
    devices: readonly number[];
  },
): Promise<Balanced> {
  const at = (hiddenDim: number) =>
    measureBalance(engine, { ...config, hiddenDim }, options.devices);
  const tried: (readonly [number, Balance])[] = [];
  for (const hiddenDim of options.tried) tried.push([hiddenDim, await at(hiddenDim)]);
  const hiddenDim = balancedSize(
    tried.map(([size, { computation, communication }]) => ({ size, computation, communication })),
    options,
  );
  return {
    config: { ...config, hiddenDim },
    balance: await at(hiddenDim),
    tried,
  };
}

/** Where the line through two measured computations meets the mean communication, as a multiple. */
export function balancedSize(
  measured: readonly { size: number; computation: number; communication: number }[],
  { multiple, most }: { multiple: number; most: number },
): number {
  const [a, b] = measured;
  const slope = (b.computation - a.computation) / (b.size - a.size);
  const goal = (a.communication + b.communication) / 2;
  const size = slope > 0 ? a.size + (goal - a.computation) / slope : most;
  return Math.min(most, Math.max(multiple, Math.round(size / multiple) * multiple));
}

async function measureBalance(
  engine: Engine,
  config: LayerConfig,
  devices: readonly number[],
): Promise<Balance> {
  const parts = new LayerParts(engine, resolveLayer(config, engine.topology));
  try {
    let [computation, communication, alone] = [0, 0, 0];
    for (const pass of PASSES) {
      await parts.time(pass, () => true); // what the parts read is there afterwards
      computation += (await parts.time(pass, (task) => !task.transfers)).seconds;
      communication += (await parts.time(pass, (task) => task.transfers !== undefined)).seconds;
      alone += busiestDevice(parts.graphs[pass], await parts.alone(pass), devices);
    }
    return { computation, communication, gain: Math.max(1, alone / computation) };
  } finally {
    parts.close();
  }
}

/** Sum of the computations of the ranks of the device that has most, each alone. */
export function busiestDevice(
  graph: TaskGraph,
  costs: Costs,
  devices: readonly number[],
): number {
  const sums = new Map<number, number>();
  for (const task of graph.tasks) {
    if (task.transfers) continue;
    for (const [rank, device] of devices.entries()) {
      sums.set(device, (sums.get(device) ?? 0) + costs.seconds(task, rank));
    }
  }
  return Math.max(...sums.values());
}
