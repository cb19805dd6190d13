/**
 * Puts a task graph together: tasks, the buffers they use, and all-to-alls phase by phase.
 * @module
 */
import { expect, someTransfers } from "../arguments/mod.ts";
import type { AllToAll } from "../alltoall/types.ts";
import {
  type Lane,
  type Life,
  type Pass,
  SchemoeError,
  type Task,
  type TaskGraph,
  type TaskKind,
  type Topology,
  type Transfer,
  type View,
} from "../types.ts";
import { plansOf } from "../alltoall/known.ts";
import { phaseName, phasesBefore } from "../alltoall/plan.ts";
import type { TensorTable } from "../memory/mod.ts";
import { trafficOf } from "../costs/mod.ts";
import { exchangeTraffic, together } from "./exchange_traffic.ts";
import { scratchOf, type Slices, trafficMatrix, transfersOf } from "./transfers.ts";

/** Fields of a new task; absent ones are empty, 0, or derived from the label. */
export interface NewTask {
  /** What it does, which decides its colour and whether it is communication. */
  readonly kind: TaskKind;
  /** The letter that charts show, such as `E`. */
  readonly label: string;
  /** Index of its chunk; -1 before the chunks, the number of chunks after them. */
  readonly chunk: number;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  /** Tasks that it depends on. */
  readonly after: readonly Task[];
  /** Lane that runs it; default `compute`. */
  readonly lane?: Lane;
  /** Unique name; default the label, in a chunk with its index: `E[2]`. */
  readonly name?: string;
  /** Floating-point operations on the busiest rank; default 0. */
  readonly flops?: number;
  /** The same of each rank, where they differ. */
  readonly rankFlops?: Task["rankFlops"];
  /**
   * Bytes over links, of computation of memory traffic, on the busiest rank; default those of the transfers, else 0.
   */
  readonly bytes?: number;
  /** Kernels of a rank; absent where it only takes time. */
  readonly kernels?: Task["kernels"];
  /** Transfers of a rank; present exactly for communication. */
  readonly transfers?: Task["transfers"];
  /** The same as byte counts, where they are known without listing the transfers. */
  readonly traffic?: Task["traffic"];
  /** Buffers that its kernels or transfers may name, see {@linkcode Task.uses}. */
  readonly uses?: readonly (string | View)[];
}

/** One all-to-all of a graph. */
export interface Exchange extends Slices {
  /** Label of its tasks, such as `A1`; with several phases their names follow. */
  readonly label: string;
  /** Index of its chunk. */
  readonly chunk: number;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  /** Tasks that its first phases depend on. */
  readonly after: readonly Task[];
  /** Whose plan it follows. */
  readonly algorithm: AllToAll;
  /** Other values between the same ranks, which travel beside these as messages of their own. */
  readonly beside?: Slices;
}

/** Collects tasks in topological order. */
export class GraphBuilder {
  readonly #tasks: Task[] = [];
  readonly #names = new Set<string>();
  readonly #buffers = new Map<string, () => number>();
  readonly #lives = new Map<string, Life>();

  /** A graph without tasks, of so many chunks; `layer` is that of a stack. */
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
    const added: { -readonly [K in keyof Task]: Task[K] } = {
      id: this.#tasks.length,
      name,
      kind,
      label,
      pass: this.pass,
      chunk,
      stage,
      lane,
      after: Object.freeze([...new Set(task.after.map(({ id }) => id))]),
      flops,
      bytes: task.bytes ?? 0,
      kernels,
      transfers,
      layer: this.layer,
    };
    // one by one, since spreading what may be absent would take most of the time of a graph
    if (task.rankFlops) added.rankFlops = task.rankFlops;
    if (task.uses) added.uses = namesOf(task.uses);
    if (task.traffic) added.traffic = task.traffic;
    if (transfers && task.bytes === undefined) {
      const get = once(() => busiest(this.topology, added));
      Object.defineProperty(added, "bytes", { get, enumerable: true });
    }
    this.#tasks.push(Object.freeze(added));
    return added;
  }

  /**
   * Adds the phases of an all-to-all as tasks; returns the tasks on which no other phase of this all-to-all depends.
   * @throws {SchemoeError} when its plan is wrong, naming rank, phase and slice.
   */
  allToAll(exchange: Exchange): Task[] {
    const { topology } = this;
    const { label, chunk, algorithm, beside } = exchange;
    const matrix = algorithm.byTraffic ? trafficMatrix(exchange, topology) : undefined;
    const plans = plansOf(algorithm, topology, matrix);
    const phases = plans.phases(0);
    const all: readonly Slices[] = beside ? [exchange, beside] : [exchange];
    const traffic = all.map((slices) =>
      exchangeTraffic(slices, { algorithm, topology, plans, ...(matrix ? { matrix } : {}) })
    );
    const tasks: Task[] = [];
    for (const [index, phase] of phases.entries()) {
      const before = phasesBefore(phase, index);
      const at = { phase: index, topology };
      const suffix = phases.length > 1 ? ` ${phaseName(phase)}` : "";
      tasks.push(this.add({
        ...exchange,
        kind: "allToAll",
        name: `${label}[${chunk}]${suffix}`,
        lane: phase.lane,
        after: before.length ? before.map((i) => tasks[i]) : exchange.after,
        traffic: together(traffic.map((of) => of(index))),
        transfers: beside
          ? (rank) => all.flatMap((slices) => transfersOf(plans, slices, { rank, ...at }))
          : (rank) => transfersOf(plans, exchange, { rank, ...at }),
        uses: all.flatMap(({ input, output, scratch }) => [input, output, scratch]),
      }));
    }
    for (const slices of all) {
      const bytes = () => slices.sliceBytes * scratchOf(plans, slices, topology);
      this.buffer(slices.scratch, bytes, "pass");
    }
    const inner = new Set(phases.flatMap(phasesBefore));
    return tasks.filter((_, index) => !inner.has(index));
  }

  /**
   * Declares a buffer of that many bytes on every rank; a function is asked only when it is needed.
   * @throws {SchemoeError} when it was declared with another life.
   */
  buffer(name: string, bytes: number | (() => number), life: Life = "saved"): View {
    const known = this.#lives.get(name);
    if (known !== undefined && known !== life) {
      throw new SchemoeError(
        `Cannot declare the buffer "${name}": its life is ${known} and cannot be ${life} too`,
      );
    }
    this.#lives.set(name, life);
    const size = typeof bytes === "number" ? () => bytes : bytes;
    const before = this.#buffers.get(name);
    this.#buffers.set(name, before ? () => Math.max(before(), size()) : size);
    return { buffer: name, offset: 0 };
  }

  /** Declares a tensor of a table. @throws {SchemoeError} when the table has none of that name. */
  tensor(table: TensorTable, name: string): View {
    return this.buffer(name, table.localBytes(name), table.get(name).life);
  }

  /** The graph of all tasks added so far. It cannot be changed, since schedulers and runs share it. */
  build(configuration: TaskGraph["configuration"]): TaskGraph {
    const { pass, chunks, topology } = this;
    const tasks = Object.freeze([...this.#tasks]);
    const sizes = once(() =>
      Object.fromEntries([...this.#buffers].map(([name, size]) => [name, size()]))
    );
    return {
      pass,
      chunks,
      topology,
      configuration,
      tasks,
      lives: Object.freeze(Object.fromEntries(this.#lives)),
      get buffers() {
        return sizes();
      },
    };
  }
}

/** Names of buffers, each once. */
const namesOf = (uses: NonNullable<NewTask["uses"]>): readonly string[] =>
  Object.freeze([...new Set(uses.map((use) => typeof use === "string" ? use : use.buffer))]);

function busiest(topology: Topology, task: Task): number {
  const { pattern, sliceBytes } = trafficOf(topology, task);
  let most = 0;
  for (let rank = 0; rank < topology.ranks; rank++) {
    const { intra, inter } = pattern.of(rank);
    most = Math.max(most, intra.sent + inter.sent);
  }
  return most * sliceBytes;
}

/** Bytes that a rank sends over links; copies to itself are not on the wire. */
export function sentBytes(transfers: readonly Transfer[]): number {
  expect("sentBytes", "transfers", transfers, someTransfers);
  let sum = 0;
  for (const { kind, bytes } of transfers) if (kind === "send") sum += bytes;
  return sum;
}

function once<T>(compute: () => T): () => T {
  let value: { readonly of: T } | undefined;
  return () => (value ??= { of: compute() }).of;
}
