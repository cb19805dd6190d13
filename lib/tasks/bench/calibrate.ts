/** Sizes a layer so that its communication takes about as long as its computation. @module */
import { type LayerConfig, resolveLayer } from "../../blocks/mod.ts";
import type { Costs } from "../../costs/types.ts";
import type { Engine } from "../../engine.ts";
import type { TaskGraph } from "../../types.ts";
import { LayerParts } from "./parts.ts";
import { hundredths, milliseconds, type Row } from "./report.ts";

/** Times of the parts of a layer alone, in seconds of both passes together. */
export interface Balance {
  /** All computation, no communication: all ranks at once. */
  readonly computation: number;
  /** All communication, no computation. */
  readonly communication: number;
  /** Computation of all ranks task after task, relative to all at once on a shared processor. */
  readonly gain: number;
}

/** A layer with its times. */
export interface Balanced {
  readonly config: LayerConfig;
  readonly balance: Balance;
  /** All sizes that were measured, in turn. */
  readonly tried: readonly (readonly [hiddenDim: number, balance: Balance])[];
}

/** Which hidden sizes may be taken, and the GPU of each rank. */
export interface HiddenSizes {
  /** Measured first. */
  readonly tried: readonly [number, number];
  /** The least; all others are multiples of it. */
  readonly multiple: number;
  readonly most: number;
  readonly devices: readonly number[];
}

const PASSES = ["forward", "backward"] as const;
/** Sizes that are measured after the first two. */
const TURNS = 3;
/** Of both times, the longer over the shorter. */
const CLOSE = 1.1;

/**
 * Measures a layer with two hidden sizes and goes on to the one between or beyond them at which computation
 * and communication (`linear`, no codec, one chunk) of both passes take the same time, as computation
 * grows about evenly with the hidden size. Where no size does, the nearest is taken.
 */
export async function balancedLayer(
  engine: Engine,
  config: Omit<LayerConfig, "hiddenDim">,
  options: HiddenSizes,
): Promise<Balanced> {
  const tried: (readonly [hiddenDim: number, balance: Balance])[] = [];
  const measure = async (hiddenDim: number) => {
    const balance = await measureBalance(engine, { ...config, hiddenDim }, options.devices);
    tried.push([hiddenDim, balance]);
  };
  for (const hiddenDim of options.tried) await measure(hiddenDim);
  for (let turn = 0; turn < TURNS; turn++) {
    const [nearest, other] = byBalance(tried);
    if (turn > 0 && apart(nearest[1]) < CLOSE) break;
    const next = balancedSize(
      [nearest, other].map(([size, { computation, communication }]) => ({
        size,
        computation,
        communication,
      })),
      options,
    );
    if (tried.some(([size]) => size === next)) break;
    await measure(next);
  }
  const [[hiddenDim, balance]] = byBalance(tried);
  return { config: { ...config, hiddenDim }, balance, tried };
}

/** How many times longer one takes than the other. */
const apart = ({ computation, communication }: Balance): number =>
  Math.max(computation / communication, communication / computation);

const byBalance = (tried: Balanced["tried"]) => tried.toSorted((a, b) => apart(a[1]) - apart(b[1]));

/** Fields of a balanced layer in a report. */
export function balanceText(
  { config: { hiddenDim }, balance, tried }: Balanced,
  { multiple, most }: Pick<HiddenSizes, "multiple" | "most">,
): Row {
  const { computation, communication, gain } = balance;
  const limits = new Map([[multiple, "least"], [most, "largest"]]);
  const limit = apart(balance) < CLOSE ? undefined : limits.get(hiddenDim);
  return {
    computationAloneMs: milliseconds(computation),
    communicationAloneMs: milliseconds(communication),
    computationsAtOnce: hundredths(gain),
    ...(limit ? { unbalanced: `hidden ${hiddenDim} is the ${limit} that is tried` } : {}),
    tried: tried.map(([size, { computation, communication }]) =>
      `hidden ${size}: ${milliseconds(computation)} and ${milliseconds(communication)} ms`
    ).join("; "),
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
