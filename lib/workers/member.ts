/** One other process, as process 0 sees it: asked and answering. @module */
import { type FailureParts, NativeError } from "../native/failure.ts";
import { SchemoeError } from "../types.ts";
import { type Fields, type Frame, type Frames, READING } from "./frames.ts";

/** Introduction of a process when it joins. */
export interface Introduction {
  readonly process: number;
  readonly pid: number;
  readonly host: string;
  /** Cores of its machine. */
  readonly cores: number;
}

/** Status of an error whose cause is another process; see `schemoe.h`. */
const PEER = 10;

/** The fields of a native failure that another process sent, or undefined where they are none. */
function partsOf(sent: unknown): FailureParts | undefined {
  if (typeof sent !== "object" || sent === null) return undefined;
  const { status, task, rank, buffer, text, unfinished } = sent as Record<string, unknown>;
  if (typeof status !== "number" || typeof text !== "string") return undefined;
  const number = (value: unknown) => typeof value === "number" ? value : undefined;
  return {
    status,
    text,
    task: number(task),
    rank: number(rank),
    buffer: number(buffer),
    unfinished: typeof unfinished === "string" ? unfinished : undefined,
  };
}

/** A question that has not been answered. */
interface Open {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: SchemoeError) => void;
}

/** A process that has joined. */
export class Member {
  readonly process: number;
  readonly pid: number;
  readonly host: string;
  readonly cores: number;
  /** Why it can no longer be reached, after its name. */
  gone?: string;
  /** When it was last heard, by `performance.now()`. */
  heard: number = performance.now();
  readonly #frames: Frames;
  readonly #questions = new Map<number, Open>();
  #serial = 0;
  /** Resolves once the connection has ended. */
  readonly ended: Promise<void>;

  constructor(introduction: Introduction, frames: Frames) {
    this.process = introduction.process;
    this.pid = introduction.pid;
    this.host = introduction.host;
    this.cores = introduction.cores;
    this.#frames = frames;
    this.ended = this.#listen();
  }

  /** `process 1 (pid 77 on node-b)`. */
  get name(): string {
    return `process ${this.process} (pid ${this.pid} on ${this.host})`;
  }

  /** Sends without waiting for an answer. */
  tell(fields: Fields): void {
    this.#frames.send(fields).catch(() => {});
  }

  /** @throws {SchemoeError} what the other process threw, or that it is gone. */
  ask(fields: Fields, body?: Uint8Array): Promise<Frame> {
    if (this.gone !== undefined) return Promise.reject(this.#error());
    const serial = ++this.#serial;
    const answer = new Promise<Frame>((resolve, reject) =>
      this.#questions.set(serial, { resolve, reject })
    );
    // A broken connection ends `#listen`, which rejects the question.
    this.#frames.send({ ...fields, serial }, body).catch(() => {});
    return answer;
  }

  /** Closes the connection; open questions are rejected. */
  close(reason: string): void {
    this.gone ??= reason;
    this.#frames.close();
  }

  async #listen(): Promise<void> {
    let reason = "it has ended or was killed";
    try {
      for (let frame; (frame = await this.#frames.receive());) {
        this.heard = performance.now();
        this.#answer(frame);
      }
    } catch (error) {
      if (error instanceof SchemoeError) reason = error.message.replace(READING, "");
    }
    this.gone ??= reason;
    for (const { reject } of this.#questions.values()) reject(this.#error());
    this.#questions.clear();
    this.#frames.close();
  }

  #answer(frame: Frame): void {
    const { kind, serial, status, rank, message } = frame.fields;
    const question = this.#questions.get(serial as number);
    if (!question || (kind !== "done" && kind !== "failed")) {
      throw new SchemoeError(
        `Cannot read a message: it sent an answer of kind "${kind}" to nothing`,
      );
    }
    this.#questions.delete(serial as number);
    if (kind === "done") question.resolve(frame);
    else {
      const parts = partsOf(frame.fields.parts);
      question.reject(
        parts ? new NativeError(parts) : new SchemoeError(String(message), {
          status: typeof status === "number" ? status : undefined,
          rank: typeof rank === "number" ? rank : undefined,
        }),
      );
    }
  }

  #error(): SchemoeError {
    return new SchemoeError(`Cannot reach ${this.name}: ${this.gone}`, { status: PEER });
  }
}
