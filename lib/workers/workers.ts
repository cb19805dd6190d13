/** Other processes that run a part of the ranks of an engine. @module */
import { aText, expect, listOf, record, something } from "../arguments/mod.ts";
import { type CpuOptions, cpuRunner } from "../engines/cpu.ts";
import type { RanksFacts } from "../native/runner.ts";
import { checkTransport, cudaRunner, type TransportOptions } from "../engines/cuda.ts";
import { wantsNvtx } from "../native/nvtx.ts";
import { topology as world } from "../topology.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { PartsDriver } from "./driver.ts";
import type { Member } from "./member.ts";
import { type GpuPart, PartEngine, type Span } from "./part.ts";
import { Peers } from "./peers.ts";
import { engineKey, newNonce, Prover } from "./proof.ts";

const OPTIONS = record("members, as spawnWorkers(...) finds them", {
  members: listOf(something, "members"),
  host: aText,
  token: aText,
});

/** Options of {@linkcode Workers.openEngine}. */
export interface WorkerEngineOptions
  extends Partial<CpuOptions>, Omit<TransportOptions, "transport"> {
  /** `cpu` (default): sends travel over TCP. `cuda`: ranks on GPUs, whose sends NCCL carries. */
  readonly kind?: "cpu" | "cuda";
  /** `cuda`: products of float32 round their factors to TF32; default false. */
  readonly tf32?: boolean;
  /** Default: one node for each process. */
  readonly nodes?: number;
  /** Default 1. */
  readonly ranksPerNode?: number;
  /** Seconds after which a process that gives no sign of life is given up; default 10. */
  readonly patience?: number;
}

const KNOWN = [
  "topology",
  "nodes",
  "ranksPerNode",
  "links",
  "computation",
  "nvtx",
  "patience",
  "kind",
  "tf32",
  "emulateNodes",
  "nccl",
  "maxCTAs",
  "devices",
];
const PATIENCE = 10;
/** Seconds in which a process that is well answers. */
const LOOK = 2;

/** What {@linkcode Workers} is made of. */
export interface WorkersOptions {
  readonly members: readonly Member[];
  /** Address at which this process listens. */
  readonly host: string;
  /** The session's secret. */
  readonly token: string;
  /** Ends what was started together with the members. */
  readonly end?: () => Promise<void>;
}

/**
 * The processes that have joined this one: see {@linkcode spawnWorkers} and
 * {@linkcode gatherWorkers}. Close it when it is no longer needed; the others end then.
 */
export class Workers {
  readonly #members: readonly Member[];
  readonly #host: string;
  readonly #prover: Prover;
  readonly #end: () => Promise<void>;
  readonly #engines = new Set<Engine>();
  #opened = 0;
  #closed?: Promise<void>;

  /** Made by {@linkcode spawnWorkers} and {@linkcode gatherWorkers}. */
  constructor(options: WorkersOptions) {
    expect("new Workers", "options", options, OPTIONS);
    const { members, host, token, end = () => Promise.resolve() } = options;
    this.#prover = new Prover(token);
    this.#members = members;
    this.#host = host;
    this.#end = end;
  }

  /** All processes, with this one. */
  get processes(): number {
    return this.#members.length + 1;
  }

  /** Ids of the other processes, by their number less 1. */
  get pids(): number[] {
    return this.#members.map(({ pid }) => pid);
  }

  /**
   * Opens an engine whose ranks are spread evenly over the processes, process 0 being this one; on the
   * CPU sends travel over TCP, on GPUs through NCCL, of which all processes must have the same version.
   * Processes of one machine take its GPUs in blocks; those that share a GPU need `emulateNodes`, and
   * are slow, since a GPU runs one process at a time. Results are bit-equal to those of one process. Times come back on one clock:
   * the caption says how far those of the processes may be apart. Host functions and compressors
   * written in JavaScript cannot run on it. After a run that failed, close it and open a new one; one
   * of a process that has ended needs new workers.
   *
   * @throws {SchemoeError} for unusable options, and naming the process that is gone or does not answer.
   */
  async openEngine(options: WorkerEngineOptions = {}): Promise<Engine> {
    if (this.#closed) throw new SchemoeError("Cannot open the engine: the workers are closed");
    const { patience = PATIENCE, topology: given, nodes, ranksPerNode, ...rest } = options;
    const { kind = "cpu", tf32, emulateNodes, nccl, maxCTAs, devices } = options;
    oneOf("kind", kind, ["cpu", "cuda"]);
    const transport = { emulateNodes, nccl, maxCTAs, devices };
    const foreignTo = Object.entries({ ...transport, tf32 }).find(([, value]) =>
      value !== undefined
    );
    if (foreignTo && kind === "cpu") fail(`${foreignTo[0]} is an option of kind "cuda"`);
    const foreign = Object.keys(options).find((key) => !KNOWN.includes(key));
    if (foreign) fail(`"${foreign}" is not one of its options (${KNOWN.join(", ")})`);
    if (!(typeof patience === "number" && patience > 0 && patience < Infinity)) {
      fail(`the patience ${patience} is not positive`);
    }
    if (given && (nodes ?? ranksPerNode) !== undefined) {
      fail("give a topology or nodes and ranksPerNode, not both");
    }
    oneOf("links", rest.links ?? "emulated", ["emulated", "plain"]);
    oneOf("computation", rest.computation ?? "real", ["paced", "real"]);
    const topology = given ??
      world({ nodes: nodes ?? this.processes, ranksPerNode: ranksPerNode ?? 1 });
    const nvtx = wantsNvtx(options.nvtx, kind);
    const spans = spread(topology.ranks, this.processes);
    if (kind === "cuda") {
      checkTransport({ ...transport, transport: "nccl" }, topology.ranks);
      const driver = await this.#connect(topology, spans, patience, { ...transport, tf32 });
      const { links, computation } = rest;
      const engine = cudaRunner(
        { topology, links, computation, tf32, nvtx },
        driver,
        this.#ranksFacts(driver, { before: driver.where, carrier: "NCCL" }),
      );
      this.#engines.add(engine);
      return engine;
    }
    const driver = await this.#connect(topology, spans, patience);
    const shared = rest.computation === "paced" ? topology : this.#onCores(topology, spans);
    const engine = cpuRunner(
      { ...rest, topology: shared, nvtx },
      driver,
      this.#ranksFacts(driver, { carrier: "TCP" }),
    );
    this.#engines.add(engine);
    return engine;
  }

  /** Closes all engines and lets the other processes end; closing twice does nothing. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /** Closes them at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const engine of this.#engines) engine.close();
    for (const member of this.#members) member.close("it was let go");
    await Promise.all(this.#members.map(({ ended }) => ended));
    await this.#end();
  }

  /** Opens the engine of each process and connects them. */
  async #connect(
    topology: Topology,
    spans: readonly Span[],
    patience: number,
    gpus?: Omit<GpuPart, "slot" | "slots">,
  ) {
    const shares = gpus ? this.#shareGpus(spans, gpus) : [];
    const engine = ++this.#opened;
    const { nodes, ranksPerNode } = topology;
    const nonce = newNonce();
    const key = await engineKey(this.#prover, nonce);
    const part = new PartEngine({
      nodes,
      ranksPerNode,
      span: spans[0],
      host: this.#host,
      key,
      gpus: shares[0],
    });
    const members = this.#members;
    let connecting: Promise<void> | undefined;
    try {
      const answers = await this.#all(patience, (member) =>
        member.ask({
          kind: "open",
          engine,
          nodes,
          ranksPerNode,
          nonce,
          span: spans[member.process],
          gpus: shares[member.process],
        }));
      const places = [{ port: part.port, host: this.#host, pid: Deno.pid }].concat(
        answers.map(({ fields }, i) => ({
          port: Number(fields.port),
          host: String(fields.host),
          pid: members[i].pid,
        })),
      );
      const all = places.map((place, i) => ({ ...place, ...spans[i] }));
      connecting = part.connect(all, 0, patience);
      connecting.catch(() => {});
      await this.#all(
        2 * patience,
        (member) => member.ask({ kind: "connect", engine, all, self: member.process, patience }),
      );
      await connecting;
    } catch (error) {
      for (const member of members) member.ask({ kind: "close", engine }).catch(() => {});
      // Closing would block until it is over, and NCCL may wait long for a process that is gone.
      if (connecting) part.cancel();
      void Promise.resolve(connecting).catch(() => {}).then(() => part.close());
      // Who is gone explains whatever else failed.
      await this.#all(Math.min(patience, LOOK), (member) => member.ask({ kind: "ping" }));
      throw error;
    }
    return new PartsDriver({ part, peers: new Peers({ engine, members, spans }), patience });
  }

  /** Answers of all; rejects naming one that gives none in time. */
  async #all<T>(patience: number, ask: (member: Member) => Promise<T>): Promise<T[]> {
    const late = Promise.withResolvers<never>();
    const missing = new Set(this.#members);
    const timer = setTimeout(() => {
      const [{ name }] = missing;
      late.reject(
        new SchemoeError(`Cannot open the engine: ${name} does not answer for ${patience} s`, {
          status: 10,
        }),
      );
    }, patience * 1000);
    const answers = this.#members.map(async (member) => {
      const answer = await ask(member);
      missing.delete(member);
      return answer;
    });
    answers.forEach((answer) => answer.catch(() => {}));
    try {
      return await Promise.race([Promise.all(answers), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Which GPUs the ranks of each process use: processes of one machine take turns. */
  #shareGpus(spans: readonly Span[], gpus: Omit<GpuPart, "slot" | "slots">): GpuPart[] {
    const hosts = [Deno.hostname(), ...this.#members.map(({ host }) => host)];
    return spans.map(({ first, ranks }, i) => ({
      ...gpus,
      devices: gpus.devices?.slice(first, first + ranks),
      slot: hosts.slice(0, i).filter((host) => host === hosts[i]).length,
      slots: hosts.filter((host) => host === hosts[i]).length,
    }));
  }

  /** Ranks of one machine share its cores. */
  #onCores(topology: Topology, spans: readonly Span[]): Topology {
    if (topology.sharing) return topology;
    const hosts = [Deno.hostname(), ...this.#members.map(({ host }) => host)];
    const cores = [navigator.hardwareConcurrency, ...this.#members.map((member) => member.cores)];
    const machines = [...new Set(hosts)];
    const of = spans.flatMap(({ ranks }, i) =>
      Array<number>(ranks).fill(machines.indexOf(hosts[i]))
    );
    const capacity = machines.map((host) => cores[hosts.indexOf(host)]);
    const crowded = capacity.some((count, machine) =>
      of.filter((m) => m === machine).length > count
    );
    return crowded ? { ...topology, sharing: { of, capacity } } : topology;
  }

  #ranksFacts(
    driver: PartsDriver,
    { before = "", carrier }: { readonly before?: string; readonly carrier: string },
  ): RanksFacts {
    return {
      where: `${before}, ${this.processes} processes over ${carrier}`,
      clockError: () => driver.clockError,
    };
  }
}

function spread(ranks: number, processes: number): Span[] {
  if (ranks < processes) fail(`${ranks} ranks are fewer than ${processes} processes`);
  const first = (process: number) => Math.floor(ranks * process / processes);
  return Array.from({ length: processes }, (_, process) => ({
    first: first(process),
    ranks: first(process + 1) - first(process),
  }));
}

function oneOf(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) fail(`unknown ${name} "${value}", choose one of ${known.join(", ")}`);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot open the engine: ${problem}`);
}
