/** A worker's handling of messages of process 0: engines of its own ranks. @module */
import type { PreparedProgram } from "../native/engine.ts";
import { checkSource } from "../kernels/source.ts";
import { SchemoeError, type SourceCode } from "../types.ts";
import { digest } from "./digest.ts";
import type { Fields, Frame } from "./frames.ts";
import { engineKey, isNonce, type Prover } from "./proof.ts";
import { type Endpoint, type GpuPart, PartEngine, type Span } from "./part.ts";

/** Fields of all kinds of messages; each kind has some. */
interface Order {
  readonly kind: string;
  readonly engine: number;
  readonly program: number;
  readonly operations: number;
  readonly sources?: readonly SourceCode[];
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly span: Span;
  readonly nonce: string;
  readonly gpus?: GpuPart;
  readonly all: readonly Endpoint[];
  readonly self: number;
  readonly patience: number;
  readonly run: number;
  readonly start: string;
  readonly timeLimit: number;
}

interface Opened {
  readonly part: PartEngine;
  readonly programs: Map<number, PreparedProgram>;
}

/** Fields and bytes of an answer. */
export interface Answer {
  readonly fields?: Omit<Fields, "kind">;
  readonly body?: Uint8Array;
}

/** @throws {SchemoeError} for what is no code. */
function sourcesOf({ sources = [] }: Order): readonly SourceCode[] {
  for (const code of sources) checkSource(code);
  return sources;
}

/** Engines of one worker. */
export class PartHost {
  readonly #engines = new Map<number, Promise<Opened>>();
  readonly #host: string;
  readonly #prover: Prover;

  /** @param host address at which its engines listen. */
  constructor({ host, prover }: { host: string; prover: Prover }) {
    this.#host = host;
    this.#prover = prover;
  }

  /** @throws {SchemoeError} what the native library refused. */
  async answer({ fields, body }: Frame): Promise<Answer> {
    const order = fields as unknown as Order;
    if (order.kind === "ping") return {};
    if (order.kind === "open") return await this.#open(order);
    const opened = await this.#engines.get(order.engine);
    if (!opened) {
      throw new SchemoeError(
        `Cannot use engine ${order.engine}: this process has none of that number`,
      );
    }
    const { part, programs } = opened;
    switch (order.kind) {
      case "connect":
        await part.connect(order.all, order.self, order.patience);
        return {};
      case "prepare":
        programs.set(order.program, part.prepare(body, order.operations, sourcesOf(order)));
        return { fields: { digest: await digest(body) } };
      case "release":
        part.release(this.#program(opened, order));
        programs.delete(order.program);
        return {};
      case "run": {
        const program = this.#program(opened, order);
        part.expect(order.run, BigInt(order.start));
        return { body: new Uint8Array((await part.run(program, order.timeLimit)).buffer) };
      }
      case "cancel":
        part.cancel();
        return {};
      case "close":
        this.#close(order.engine);
        return {};
    }
    throw new SchemoeError(`Cannot answer a message: its kind "${order.kind}" is unknown`);
  }

  /** Closes all engines; runs in progress end. */
  close(): void {
    for (const engine of this.#engines.keys()) this.#close(engine);
  }

  async #open(order: Order): Promise<Answer> {
    const { engine } = order;
    if (!Number.isSafeInteger(engine) || this.#engines.has(engine)) {
      throw new SchemoeError(`Cannot open engine ${engine}: this process has one of that number`);
    }
    const opening = this.#openPart(order);
    // Known at once, so that it can be closed while it is being opened.
    this.#engines.set(engine, opening);
    try {
      const { part } = await opening;
      return { fields: { port: part.port, host: this.#host } };
    } catch (error) {
      this.#engines.delete(engine);
      throw error;
    }
  }

  async #openPart({ nodes, ranksPerNode, span, nonce, gpus }: Order): Promise<Opened> {
    if (!isNonce(nonce)) throw new SchemoeError("Cannot open the engine: it has no challenge");
    const key = await engineKey(this.#prover, nonce);
    const options = { nodes, ranksPerNode, span, host: this.#host, key, gpus };
    return { part: new PartEngine(options), programs: new Map() };
  }

  #program({ programs }: Opened, { program }: Order): PreparedProgram {
    const found = programs.get(program);
    if (found) return found;
    throw new SchemoeError(`Cannot use Program ${program}: this process has none of that number`);
  }

  #close(engine: number): void {
    const opened = this.#engines.get(engine);
    this.#engines.delete(engine);
    // One that could not be opened has told so already.
    opened?.then(({ part, programs }) => {
      // Ends a run in progress, without which no Program could be released.
      part.close();
      for (const program of programs.values()) part.release(program);
    }, () => {});
  }
}
