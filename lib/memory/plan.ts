/**
 * Which buffers of a graph share memory.
 *
 * Two buffers of life `pass` may lie over each other where every task that uses one comes, in the graph,
 * before every task that uses the other: then no schedule can bring them together, whatever its order, its
 * lanes and its further edges. So one plan serves all schedules of a graph.
 * @module
 */
import type { TaskGraph } from "../types.ts";

/** Buffers begin at multiples of it, in the arena too. */
const ALIGNMENT = 256;

/** Where the buffers of a graph lie. */
export interface MemoryPlan {
  /** Bytes of the arena that all buffers of life `pass` lie in, on every rank. */
  readonly arena: number;
  /** Byte of the arena at which each of them begins. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Bytes of a buffer. */
  bytes(name: string): number;
  /** Bytes of each buffer that has memory of its own. */
  readonly own: Readonly<Record<string, number>>;
  /** What the buffers in the arena would take side by side. */
  readonly apart: number;
  /** Most bytes of buffers in the arena that are alive at once whatever is done: the least an arena can have. */
  readonly floor: number;
}

const plans = new WeakMap<TaskGraph, MemoryPlan>();

/** The plan of a graph, made once. */
export function memoryPlan(graph: TaskGraph): MemoryPlan {
  let plan = plans.get(graph);
  if (!plan) plans.set(graph, plan = makePlan(graph));
  return plan;
}

function makePlan(graph: TaskGraph): MemoryPlan {
  const { buffers, lives = {} } = graph;
  const users = usersOf(graph);
  const own: Record<string, number> = {};
  const shared: { name: string; bytes: number }[] = [];
  for (const [name, bytes] of Object.entries(buffers)) {
    if (users && lives[name] === "pass") shared.push({ name, bytes: aligned(bytes) });
    else own[name] = bytes;
  }
  const bytesOf = (name: string) => buffers[name];
  const apart = shared.reduce((sum, { bytes }) => sum + bytes, 0);
  if (shared.length === 0) {
    return { arena: 0, offsets: new Map(), own, apart, floor: 0, bytes: bytesOf };
  }
  const orders = new Order(graph, shared.map(({ name }) => users!.get(name) ?? []));
  const { offsets, arena } = placeAll(shared.map(({ bytes }) => bytes), orders);
  return {
    ...{ arena, own, apart, bytes: bytesOf, floor: orders.floor(shared.map(({ bytes }) => bytes)) },
    offsets: new Map(shared.map(({ name }, i) => [name, offsets[i]])),
  };
}

const aligned = (bytes: number): number => Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;

/** Tasks that use each buffer; undefined where a task that does something does not say what it uses. */
function usersOf({ tasks }: TaskGraph): Map<string, number[]> | undefined {
  const users = new Map<string, number[]>();
  for (const { id, uses, kernels, transfers } of tasks) {
    if (!uses && (kernels || transfers)) return undefined;
    for (const name of uses ?? []) {
      const list = users.get(name);
      if (list) list.push(id);
      else users.set(name, [id]);
    }
  }
  return users;
}

/** Largest first, each at the lowest offset where it meets nothing that may be alive with it. */
function placeAll(bytes: readonly number[], orders: Order): { offsets: number[]; arena: number } {
  const offsets = bytes.map(() => 0);
  const placed: number[] = [];
  let arena = 0;
  for (const i of bytes.keys().toArray().sort((a, b) => bytes[b] - bytes[a] || a - b)) {
    const taken = placed.filter((j) => !orders.apart(i, j)).sort((a, b) => offsets[a] - offsets[b]);
    let offset = 0;
    for (const j of taken) {
      if (offset + bytes[i] <= offsets[j]) break;
      offset = Math.max(offset, offsets[j] + bytes[j]);
    }
    offsets[i] = offset;
    arena = Math.max(arena, offset + bytes[i]);
    placed.push(i);
  }
  return { offsets, arena };
}

/** Which buffers the graph keeps apart, by sets of tasks as bits. */
class Order {
  readonly #words: number;
  /** Of each buffer: the tasks that come before all of its users. */
  readonly #before: Uint32Array[];
  readonly #users: readonly (readonly number[])[];
  readonly #ancestors: Uint32Array;
  readonly #tasks: number;

  constructor({ tasks }: TaskGraph, users: readonly (readonly number[])[]) {
    this.#tasks = tasks.length;
    const words = this.#words = (tasks.length + 31) >> 5;
    const ancestors = this.#ancestors = new Uint32Array(tasks.length * words);
    for (const { id, after } of tasks) {
      const row = ancestors.subarray(id * words, (id + 1) * words);
      for (const before of after) {
        const other = ancestors.subarray(before * words, (before + 1) * words);
        for (let w = 0; w < words; w++) row[w] |= other[w];
        row[before >> 5] |= 1 << (before & 31);
      }
    }
    this.#users = users;
    this.#before = users.map((ids) => {
      const common = new Uint32Array(words).fill(ids.length ? 0xffffffff : 0);
      for (const id of ids) {
        for (let w = 0; w < words; w++) common[w] &= ancestors[id * words + w];
      }
      return common;
    });
  }

  /** Whether all users of one buffer come before all users of the other. */
  apart(a: number, b: number): boolean {
    return this.#precedes(a, b) || this.#precedes(b, a);
  }

  #precedes(a: number, b: number): boolean {
    const before = this.#before[b];
    return this.#users[a].every((id) => (before[id >> 5] >>> (id & 31) & 1) === 1);
  }

  /**
   * Most bytes that must be alive at once: at a task, the buffers that it uses, and those that have a user
   * before it and another after it.
   */
  floor(bytes: readonly number[]): number {
    let most = 0;
    const words = this.#words;
    const has = (task: number, id: number) =>
      (this.#ancestors[task * words + (id >> 5)] >>> (id & 31) & 1) === 1;
    for (let task = 0; task < this.#tasks; task++) {
      let sum = 0;
      for (const [i, ids] of this.#users.entries()) {
        const used = ids.includes(task);
        if (used || (ids.some((id) => has(task, id)) && ids.some((id) => has(id, task)))) {
          sum += bytes[i];
        }
      }
      most = Math.max(most, sum);
    }
    return most;
  }
}
