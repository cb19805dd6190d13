/**
 * Puts a task graph together: tasks, the buffers they use, and all-to-alls phase by phase.
 * @module
 */
import {
  type AllToAll,
  type HostFunction,
  type Kernel,
  type Lane,
  type Pass,
  type Phase,
  SchemoeError,
  type Slice,
  type Step,
  type Task,
  type TaskGraph,
  type TaskKind,
  type Topology,
  type Transfer,
  type View,
} from "../types.ts";
import { host } from "../kernels/mod.ts";

/** What a new task is made of; what is left out is empty, 0, or derived from the label. */
export interface NewTask {
  readonly kind: TaskKind;
  readonly label: string;
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  readonly lane?: Lane;
  readonly name?: string;
  readonly flops?: number;
  readonly bytes?: number;
  readonly kernels?: Task["kernels"];
  readonly transfers?: Task["transfers"];
}

/** Where the slices of an all-to-all lie. */
export interface Exchange {
  readonly label: string;
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  readonly algorithm: AllToAll;
  readonly sliceBytes: number;
  readonly input: View;
  readonly output: View;
  /** Name of a buffer of its own. */
  readonly scratch: string;
}

/** Plans of larger worlds are made anew each time instead of being kept. */
const KEPT_RANKS = 512;

/** Collects tasks in an order in which each comes after what it depends on. */
export class GraphBuilder {
  readonly #tasks: Task[] = [];
  readonly #names = new Set<string>();
  readonly #buffers = new Map<string, () => number>();
  readonly #hosts: HostFunction[] = [];
  readonly #plans = new Map<AllToAll, (rank: number) => readonly Phase[]>();

  constructor(
    readonly topology: Topology,
    readonly pass: Pass,
    readonly chunks: number,
    readonly layer = 0,
  ) {}

  /** Adds a task. @throws {SchemoeError} when the name is taken. */
  add(task: NewTask): Task {
    const { kind, label, chunk, stage, lane = "compute", flops = 0, kernels, transfers } = task;
    const inChunk = chunk >= 0 && chunk < this.chunks;
    const name = task.name ?? (inChunk ? `${label}[${chunk}]` : label);
    if (this.#names.has(name)) {
      throw new SchemoeError(`Cannot add the task: there are two called ${name}`);
    }
    this.#names.add(name);
    const sent = transfers && once(() => busiest(this.topology.ranks, transfers));
    const added: Task = {
      id: this.#tasks.length,
      ...{ name, kind, label, pass: this.pass, chunk, stage, lane },
      after: [...new Set(task.after.map(({ id }) => id))],
      flops,
      get bytes() {
        return task.bytes ?? sent?.() ?? 0;
      },
      kernels,
      transfers,
      layer: this.layer,
    };
    this.#tasks.push(added);
    return added;
  }

  /** Adds the phases of an all-to-all as tasks; returns those that nothing of it comes after. */
  allToAll(exchange: Exchange): Task[] {
    const { label, chunk, algorithm } = exchange;
    const plan = this.#plan(algorithm);
    const phases = plan(0);
    const tasks: Task[] = [];
    for (const [index, phase] of phases.entries()) {
      const before = phaseAfter(phase, index);
      const suffix = phases.length > 1 ? ` ${phase.name ?? phase.lane}` : "";
      tasks.push(this.add({
        ...exchange,
        kind: "allToAll",
        name: `${label}[${chunk}]${suffix}`,
        lane: phase.lane,
        after: before.length ? before.map((i) => tasks[i]) : exchange.after,
        transfers: (rank) =>
          plan(rank)[index].steps.map((step) =>
            transfer(step, rank, exchange, this.topology.ranks)
          ),
      }));
    }
    this.buffer(exchange.scratch, () => exchange.sliceBytes * this.#scratchSlices(algorithm));
    const inner = new Set(phases.flatMap(phaseAfter));
    return tasks.filter((_, index) => !inner.has(index));
  }

  /** Declares a buffer of that many bytes on every rank; a function is asked only when it is needed. */
  buffer(name: string, bytes: number | (() => number)): View {
    const size = typeof bytes === "number" ? () => bytes : bytes;
    const before = this.#buffers.get(name);
    this.#buffers.set(name, before ? () => Math.max(before(), size()) : size);
    return { buffer: name, offset: 0 };
  }

  /** A kernel that calls JavaScript. */
  host(run: HostFunction): Kernel {
    return host(this.#hosts.push(run) - 1);
  }

  build(configuration: TaskGraph["configuration"]): TaskGraph {
    const { pass, chunks, topology } = this;
    const sizes = once(() => {
      for (const task of this.#tasks) task.kernels?.(0); // declares the buffers that only kernels name
      return Object.fromEntries([...this.#buffers].map(([name, size]) => [name, size()]));
    });
    return {
      ...{ pass, chunks, topology, configuration, tasks: this.#tasks, hosts: this.#hosts },
      get buffers() {
        return sizes();
      },
    };
  }

  #plan(algorithm: AllToAll): (rank: number) => readonly Phase[] {
    let plan = this.#plans.get(algorithm);
    if (!plan) this.#plans.set(algorithm, plan = checkedPlan(algorithm, this.topology));
    return plan;
  }

  #scratchSlices(algorithm: AllToAll): number {
    const plan = this.#plan(algorithm);
    let most = 0;
    for (let rank = 0; rank < this.topology.ranks; rank++) {
      for (const step of plan(rank).flatMap((phase) => phase.steps)) {
        for (const slice of slicesOf(step)) {
          if (slice.buffer === "scratch") most = Math.max(most, slice.index + (slice.count ?? 1));
        }
      }
    }
    return most;
  }
}

const phaseAfter = (phase: Phase, index: number): readonly number[] =>
  phase.after ?? (index > 0 ? [index - 1] : []);

const slicesOf = (step: Step): Slice[] =>
  step.kind === "copy" ? [step.from, step.to] : [step.kind === "send" ? step.from : step.to];

/** Plans of one algorithm, each checked to have the phases that rank 0 has. */
function checkedPlan(algorithm: AllToAll, topology: Topology): (rank: number) => readonly Phase[] {
  const kept = new Map<number, readonly Phase[]>();
  const fail = (rank: number, problem: string): never => {
    throw new SchemoeError(
      `Cannot plan the all-to-all "${algorithm.name}": rank ${rank} ${problem}`,
      { rank },
    );
  };
  const shape = (phases: readonly Phase[]) =>
    JSON.stringify(phases.map((phase, i) => [phase.name, phase.lane, phaseAfter(phase, i)]));
  let expected: string | undefined;
  const make = (rank: number): readonly Phase[] => {
    const phases = algorithm.plan({ rank, topology });
    if (!Array.isArray(phases) || phases.length === 0) fail(rank, "has no phases");
    for (const [i, phase] of phases.entries()) {
      if (phase.lane !== "intra" && phase.lane !== "inter") {
        fail(rank, `puts phase ${i} on the lane "${phase.lane}"; there are intra and inter`);
      }
      const early = phaseAfter(phase, i).find((p) => !(Number.isInteger(p) && p >= 0 && p < i));
      if (early !== undefined) {
        fail(rank, `lets phase ${i} come after ${early}, which is not an earlier one`);
      }
    }
    expected ??= shape(rank === 0 ? phases : make(0));
    if (shape(phases) !== expected) {
      fail(rank, "has other phases than rank 0; one may be empty, not missing");
    }
    return phases;
  };
  return (rank) => {
    const found = kept.get(rank);
    if (found) return found;
    const phases = make(rank);
    if (topology.ranks <= KEPT_RANKS) kept.set(rank, phases);
    return phases;
  };
}

function transfer(step: Step, rank: number, exchange: Exchange, ranks: number): Transfer {
  const { sliceBytes, algorithm } = exchange;
  const fail = (problem: string): never => {
    throw new SchemoeError(
      `Cannot plan the all-to-all "${algorithm.name}": rank ${rank} ${problem}`,
      { rank },
    );
  };
  const view = ({ buffer, index, count = 1 }: Slice): View => {
    if (!["input", "output", "scratch"].includes(buffer)) fail(`names the buffer "${buffer}"`);
    const limit = buffer === "scratch" ? Infinity : ranks;
    if (
      !Number.isInteger(index) || !Number.isInteger(count) || index < 0 || count < 1 ||
      index + count > limit
    ) {
      fail(`names ${buffer} slices ${index} to ${index + count - 1} of ${limit}`);
    }
    const base = buffer === "scratch" ? { buffer: exchange.scratch, offset: 0 } : exchange[buffer];
    return { buffer: base.buffer, offset: base.offset + index * sliceBytes };
  };
  const slices = slicesOf(step);
  const bytes = sliceBytes * (slices[0].count ?? 1);
  if (step.kind === "copy") {
    if ((step.to.count ?? 1) !== (step.from.count ?? 1)) {
      fail("copies between slices of different number");
    }
    return { kind: "copy", peer: rank, bytes, from: view(step.from), to: view(step.to) };
  }
  const { kind, peer } = step;
  if (!Number.isInteger(peer) || peer < 0 || peer >= ranks || peer === rank) {
    fail(`has no peer ${peer}`);
  }
  return kind === "send"
    ? { kind, peer, bytes, from: view(step.from) }
    : { kind, peer, bytes, to: view(step.to) };
}

function busiest(ranks: number, transfers: (rank: number) => readonly Transfer[]): number {
  let most = 0;
  for (let rank = 0; rank < ranks; rank++) most = Math.max(most, sentBytes(transfers(rank)));
  return most;
}

/** Bytes that a rank sends over links; copies to itself are not on the wire. */
export function sentBytes(transfers: readonly Transfer[]): number {
  return transfers.reduce((sum, { kind, bytes }) => kind === "send" ? sum + bytes : sum, 0);
}

function once<T>(compute: () => T): () => T {
  let value: { readonly of: T } | undefined;
  return () => (value ??= { of: compute() }).of;
}
