/** Random valid orders of one layer under random delays, on any engine: none may hang, all bits are the same. @module */
import type { LayerConfig } from "../../blocks/mod.ts";
import { createLayer, type MoeLayer, type Run } from "../../layer/mod.ts";
import type { Engine } from "../../engine.ts";
import type { Scheduler } from "../../schedulers/types.ts";
import type { Task } from "../../types.ts";
import type { Row } from "./report.ts";

/** Random numbers from 0 to 1. */
export type Random = () => number;

/** A scheduler that orders at random: again and again one of the tasks whose dependencies are all done. */
function randomOrder(random: Random): Scheduler {
  return {
    name: "random",
    order({ tasks }) {
      const left = new Set(tasks);
      const order: Task[] = [];
      while (left.size > 0) {
        const ready = [...left].filter(({ after }) => after.every((id) => !left.has(tasks[id])));
        const task = ready[Math.floor(random() * ready.length)];
        left.delete(task);
        order.push(task);
      }
      return order;
    },
  };
}

/** Delays of operations: most have none, the others up to `most` seconds. */
export function randomDelays(
  random: Random,
  { share, most }: { share: number; most: number },
): () => number | undefined {
  return () => random() < share ? most * random() : undefined;
}

/** What orders are tried on. */
export interface OrderTrial {
  readonly config: LayerConfig;
  readonly allToAlls: readonly string[];
  readonly chunks: number;
  /** Orders of both passes, over all all-to-alls together. */
  readonly count: number;
  /** Watchdog of each run. */
  readonly timeLimit: number;
  readonly random: Random;
}

/** Runs that fail with one all-to-all before it is given up. */
const MOST_FAILURES = 3;

/**
 * Runs random orders forward and backward.
 *
 * @param engines `plain` runs the reference, one task after another; `delayed` the random orders.
 */
export async function tryOrders(
  engines: { readonly plain: Engine; readonly delayed: Engine },
  trial: OrderTrial,
): Promise<Row[]> {
  const { config, allToAlls, chunks, count, timeLimit } = trial;
  using reference = createLayer(engines.plain, config);
  const choices = { chunks, bound: false, timeLimit };
  const expected = {
    forward: bits(await reference.forward(choices)),
    backward: bits(await reference.backward(choices)),
  };
  const rows: Row[] = [];
  for (const [i, allToAll] of allToAlls.entries()) {
    const share = Math.floor(((i + 1) * count) / allToAlls.length) -
      Math.floor((i * count) / allToAlls.length);
    using layer = createLayer(engines.delayed, config);
    rows.push(await tryAllToAll(layer, { ...trial, allToAll, count: share, expected }));
  }
  return rows;
}

async function tryAllToAll(
  layer: MoeLayer,
  trial: OrderTrial & { allToAll: string; expected: Record<"forward" | "backward", string> },
): Promise<Row> {
  const { allToAll, chunks, count, timeLimit, random, expected } = trial;
  const orders = new Set<string>();
  const failures: string[] = [];
  let [runs, same, longest] = [0, 0, 0];
  for (let i = 0; i < count && failures.length < MOST_FAILURES; i++) {
    for (const pass of ["forward", "backward"] as const) {
      const scheduler = randomOrder(random);
      runs++;
      try {
        const run = await layer[pass]({ allToAll, chunks, timeLimit, scheduler, bound: false });
        if (bits(run) === expected[pass]) same++;
        orders.add(pass + run.ran[0].program.order.map(({ id }) => id));
        longest = Math.max(longest, run.makespan);
      } catch (error) {
        failures.push((error as Error).message);
        break; // without forward there is no backward
      }
    }
  }
  return {
    allToAll,
    orders: count,
    runs,
    different: orders.size,
    sameBits: same,
    failed: failures.length,
    longestMs: Math.round(1e5 * longest) / 100,
    ...(failures.length > 0 ? { failure: failures[0] } : {}),
  };
}

/** Text of all bits of a pass's results. */
export function bits({ output, auxLoss, gradients }: Run): string {
  const arrays = [output, auxLoss, ...Object.values(gradients ?? {})];
  return arrays.map((values) => {
    if (values === undefined) return "";
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return new TextDecoder("latin1").decode(bytes);
  }).join("|");
}
