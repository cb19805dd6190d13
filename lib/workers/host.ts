/** What a worker does with the messages of process 0: engines of its own ranks. @module */
import type { PreparedProgram } from "../native/engine.ts";
import { SchemoeError } from "../types.ts";
import { digest } from "./digest.ts";
import type { Fields, Frame } from "./frames.ts";
import { type Endpoint, type GpuPart, PartEngine, type Span } from "./part.ts";

/** Fields of all kinds of messages; each kind has some. */
interface Order {
  readonly kind: string;
  readonly engine: number;
  readonly program: number;
  readonly operations: number;
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly span: Span;
  readonly key: readonly number[];
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

/** Engines of one worker. */
export class PartHost {
  readonly #engines = new Map<number, Opened>();

  /** @param host address at which its engines listen. */
  constructor(readonly host: string) {}

  /** @throws {SchemoeError} what the native library refused. */
  async answer({ fields, body }: Frame): Promise<Answer> {
    const order = fields as unknown as Order;
    if (order.kind === "ping") return {};
    if (order.kind === "open") return this.#openPart(order);
    const opened = this.#engines.get(order.engine);
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
        programs.set(order.program, part.prepare(body, order.operations));
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

  #openPart({ engine, nodes, ranksPerNode, span, key, gpus }: Order): Answer {
    const part = new PartEngine({
      ...{ nodes, ranksPerNode, span, host: this.host, key: Uint8Array.from(key) },
      gpus,
    });
    this.#engines.set(engine, { part, programs: new Map() });
    return { fields: { port: part.port, host: this.host } };
  }

  #program({ programs }: Opened, { program }: Order): PreparedProgram {
    const found = programs.get(program);
    if (found) return found;
    throw new SchemoeError(`Cannot use Program ${program}: this process has none of that number`);
  }

  #close(engine: number): void {
    const { part, programs } = this.#engines.get(engine)!;
    this.#engines.delete(engine);
    // Ends a run in progress, without which no Program could be released.
    part.close();
    for (const program of programs.values()) part.release(program);
  }
}
