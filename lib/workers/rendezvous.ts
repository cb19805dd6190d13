/** Where processes find each other: process 0 listens, all others join. @module */
import { ABI_VERSION } from "../program/pack.ts";
import { SchemoeError } from "../types.ts";
import { type Frame, Frames, READING, STRANGER } from "./frames.ts";
import { Member } from "./member.ts";
import { checkToken, sameToken } from "./token.ts";

/** Version of the messages. */
export const PROTOCOL = 1;

/** Milliseconds in which a stranger must introduce itself. */
const INTRODUCTION_MS = 5000;
const MOST_STRANGERS = 64;
/** Strangers that an error names. */
const MOST_NAMED = 5;

/** Options of {@linkcode Rendezvous}. */
export interface RendezvousOptions {
  /** Address to listen at; default this machine only. */
  readonly host?: string;
  /** 0, the default: a free one. */
  readonly port?: number;
  readonly token: string;
  /** All processes, with this one. */
  readonly processes: number;
}

/** Lets those in that know the token. */
export class Rendezvous {
  readonly host: string;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #token: string;
  readonly #processes: number;
  readonly #members = new Map<number, Member>();
  readonly #strangers = new Set<Frames>();
  readonly #refused: string[] = [];
  #changed: () => void = () => {};
  #over = false;
  readonly #serving: Promise<void>;

  /** @throws {SchemoeError} when the address is not to be had. */
  constructor(options: RendezvousOptions) {
    const { host = "127.0.0.1", port = 0 } = options;
    this.#token = checkToken(options.token);
    this.#processes = options.processes;
    try {
      this.#listener = Deno.listen({ hostname: host, port });
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cause;
      throw new SchemoeError(
        `Cannot listen at ${host} port ${port}: ${
          (cause as Error).message
        }; choose another MASTER_PORT`,
        { cause },
      );
    }
    this.host = host;
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve();
  }

  /**
   * Resolves to all other processes, in their order, and stops listening.
   *
   * @param failed rejects when one of them can no longer come.
   * @throws {SchemoeError} naming those that did not join in time (seconds), and who was refused.
   */
  async gather(timeLimit: number, failed?: Promise<never>): Promise<Member[]> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), timeLimit * 1000);
    const complete = Promise.withResolvers<void>();
    const look = () => {
      if (this.#members.size === this.#processes - 1) complete.resolve();
    };
    this.#changed = look;
    look();
    try {
      await Promise.race([late.promise, complete.promise, ...(failed ? [failed] : [])]);
      const missing = Array.from({ length: this.#processes - 1 }, (_, i) => i + 1)
        .filter((process) => !this.#members.has(process));
      if (missing.length > 0) {
        const who = missing.length === 1 ? "process" : "processes";
        throw new SchemoeError(
          `Cannot gather the workers: ${who} ${
            missing.join(", ")
          } did not join within ${timeLimit} s` +
            (this.#refused.length > 0 ? `; turned away: ${this.#refused.join("; ")}` : ""),
          { status: 10 },
        );
      }
    } catch (error) {
      for (const member of this.#members.values()) member.close("the others did not come");
      throw error;
    } finally {
      clearTimeout(timer);
      await this.close();
    }
    return [...this.#members.values()].toSorted((a, b) => a.process - b.process);
  }

  /** Stops listening; those who joined stay. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#listener.close();
    for (const frames of this.#strangers) frames.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const greeting = new Set<Promise<void>>();
    while (!this.#over) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch {
        break; // closed
      }
      if (this.#strangers.size >= MOST_STRANGERS) {
        connection.close();
        continue;
      }
      const greeted = this.#greet(new Frames(connection, STRANGER)).finally(() =>
        greeting.delete(greeted)
      );
      greeting.add(greeted);
    }
    await Promise.all(greeting);
  }

  async #greet(frames: Frames): Promise<void> {
    const { hostname, port } = frames.connection.remoteAddr;
    this.#strangers.add(frames);
    const timer = setTimeout(() => frames.close(), INTRODUCTION_MS);
    try {
      const problem = await this.#admit(frames, await frames.receive());
      if (problem === undefined) return;
      this.#refuse(`${hostname} port ${port}: ${problem}`);
      await frames.send({ kind: "refused", reason: problem });
      frames.close();
    } catch (error) {
      const text = error instanceof SchemoeError
        ? error.message.replace(READING, "")
        : "it said nothing";
      if (!this.#over) this.#refuse(`${hostname} port ${port}: ${text}`);
      frames.close();
    } finally {
      clearTimeout(timer);
      this.#strangers.delete(frames);
    }
  }

  /** Takes a process in, or says why not. */
  async #admit(frames: Frames, frame: Frame | undefined): Promise<string | undefined> {
    if (!frame) return "it said nothing";
    const { kind, token, protocol, abi, process, pid, host, cores } = frame.fields;
    if (kind !== "join" || typeof token !== "string" || !await sameToken(token, this.#token)) {
      return "its token is not the session's";
    }
    if (protocol !== PROTOCOL || abi !== ABI_VERSION) {
      return `it has versions ${protocol} and ${abi}, this process has ${PROTOCOL} and ${ABI_VERSION}`;
    }
    const whole = [process, pid, cores].every((value) => Number.isInteger(value));
    const number = process as number;
    if (!whole || typeof host !== "string" || number < 1 || number >= this.#processes) {
      return `process ${process} is not one of 1 to ${this.#processes - 1}`;
    }
    if (this.#members.has(number)) return `process ${number} has joined already`;
    if (this.#over) return "all have joined";
    await frames.send({ kind: "welcome", processes: this.#processes });
    frames.trust();
    const introduction = { process: number, pid: pid as number, host, cores: cores as number };
    this.#members.set(number, new Member(introduction, frames));
    this.#changed();
  }

  #refuse(text: string): void {
    if (this.#refused.length < MOST_NAMED) this.#refused.push(text);
  }
}
