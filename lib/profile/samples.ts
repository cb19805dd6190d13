/** Operations that were measured, and what their times depend on. @module */
import {
  aCount,
  aKernelTask,
  aSize,
  aTask,
  aTopology,
  aTransferTask,
  expect,
} from "../arguments/mod.ts";
import { codecOf, elementsOf, productBytes } from "../kernels/mod.ts";
import { trafficOf, trafficSeconds } from "../costs/mod.ts";
import type { Kernel, RankTraffic, Task, Topology } from "../types.ts";

/** One operation, or several alike: its features and how long it took. */
export interface Sample {
  /**
   * What its time is a sum of, such as 1, operations and bytes: see {@linkcode workOf} and {@linkcode phaseWorkOf}.
   */
  readonly features: readonly number[];
  /** Median of its measured times. */
  readonly seconds: number;
  /** How far repeats lie from their median, relative. */
  readonly noise: number;
}

/** Position of the codec's number among the arguments of `encode` and `decode`. */
const CODEC = 1;
const CODED = ["encode", "decode"];

/** A kernel's name, of a codec with the codec's name and parameter, of a user's code with what tells it from others. */
function kernelName({ name, args, label, source }: Kernel): string {
  if (CODED.includes(name)) return `${name}:${codecOf(Number(args[CODEC]))}/${args[CODEC + 1]}`;
  if (source) {
    const [number, place] = args.map(Number);
    const called = Object.keys(source.functions)[place];
    return `${name}:${called} of ${source.name}/${number.toString(16).slice(-8)}`;
  }
  return label === undefined ? name : `${name}:${label}`;
}

const known = new WeakMap<Task, string>();

/**
 * Kind of work of a task: `transfer`, or its kind with its native kernels, such as `expert bias_act gemm`, of
 * codecs with name and parameter: `compress encode:int8/0`; of a user's own with name and hash of the source.
 */
export function kindOf(task: Task): string {
  expect("kindOf", "task", task, aKernelTask);
  let kind = known.get(task);
  if (kind === undefined) {
    const names = new Set(task.kernels?.(0)?.map(kernelName) ?? []);
    kind = task.transfers ? "transfer" : [task.kind, ...[...names].sort()].join(" ");
    known.set(task, kind);
  }
  return kind;
}

/**
 * Of computation: 1, floating-point operations, bytes of memory traffic with those of the products' operands, numbers
 * handled one by one.
 * @param tile rows and columns of products count up to its multiples, as kernels compute them that work in whole tiles.
 */
export function workOf(task: Task, rank: number, tile = 1): number[] {
  expect("workOf", "task", task, aTask);
  expect("workOf", "rank", rank, aSize);
  expect("workOf", "tile", tile, aCount);
  return [
    1,
    (task.rankFlops?.(rank) ?? task.flops) * wholeTiles(task, tile),
    task.bytes + byKernels(task, rank).operands,
    byKernels(task, rank).elements,
  ];
}

/** What kernels do beside operations. */
interface KernelWork {
  /** Bytes of the operands of products. */
  readonly operands: number;
  /** Numbers that are handled one by one. */
  readonly elements: number;
}

const NO_KERNELS: KernelWork = { operands: 0, elements: 0 };
const works = new WeakMap<Task, Map<number, KernelWork>>();

/** Of the kernels of a task on a rank. */
function byKernels(task: Task, rank: number): KernelWork {
  if (!task.kernels) return NO_KERNELS;
  const known = works.get(task) ?? new Map<number, KernelWork>();
  works.set(task, known);
  let work = known.get(rank);
  if (!work) {
    const sum = (of: (kernel: Kernel) => number) =>
      task.kernels!(rank).reduce((total, kernel) => total + of(kernel), 0);
    known.set(rank, work = { operands: sum(productBytes), elements: sum(elementsOf) });
  }
  return work;
}

/** Position of groups, rows, columns and inner size among the arguments of a product. */
const PRODUCT = 4;
const factors = new WeakMap<Task, Map<number, number>>();

/** Operations of a task's products in whole tiles, over those that are needed. */
function wholeTiles(task: Task, tile: number): number {
  if (tile === 1 || !task.kernels) return 1;
  const known = factors.get(task) ?? new Map<number, number>();
  factors.set(task, known);
  let factor = known.get(tile);
  if (factor === undefined) {
    let [needed, computed] = [0, 0];
    for (const { name, args } of task.kernels(0)) {
      if (name !== "gemm" && name !== "gemm_groups") continue;
      const [groups, rows, columns, inner] = args.slice(PRODUCT, PRODUCT + 4).map(Number);
      const whole = (size: number) => tile * Math.ceil(size / tile);
      needed += groups * rows * columns * inner;
      computed += groups * whole(rows) * whole(columns) * inner;
    }
    known.set(tile, factor = needed > 0 ? computed / needed : 1);
  }
  return factor;
}

/**
 * Of a phase on a rank: 1, messages and bytes inside the node, messages and bytes between nodes, bytes copied. Of
 * its sends, or of its receives where these take longer by the topology.
 */
export function phaseWorkOf(topology: Topology, task: Task, rank: number): number[] {
  expect("phaseWorkOf", "topology", topology, aTopology);
  expect("phaseWorkOf", "task", task, aTransferTask);
  expect("phaseWorkOf", "rank", rank, aSize);
  const { pattern, sliceBytes } = trafficOf(topology, task);
  const traffic = pattern.of(rank);
  const { copied, intra, inter } = traffic;
  const sends = { ...traffic, intra: sent(intra), inter: sent(inter) };
  const receives = { ...traffic, intra: received(intra), inter: received(inter) };
  const longer = trafficSeconds(topology, receives, sliceBytes) >
      trafficSeconds(topology, sends, sliceBytes)
    ? receives
    : sends;
  return [
    1,
    longer.intra.sends,
    longer.intra.sent * sliceBytes,
    longer.inter.sends,
    longer.inter.sent * sliceBytes,
    copied * sliceBytes,
  ];
}

type Messages = RankTraffic["intra"];
const sent = ({ sends, sent }: Messages): Messages => ({ sends, sent, receives: 0, received: 0 });
const received = ({ receives, received }: Messages): Messages => ({
  sends: receives,
  sent: received,
  receives: 0,
  received: 0,
});
