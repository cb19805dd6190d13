/** Where processes find each other: process 0 listens, all others join. @module */
import { SchemoeError } from "../types.ts";
import { Frames, READING, STRANGER } from "./frames.ts";
import { examine } from "./greeting.ts";
import { type Introduction, Member } from "./member.ts";
import { Prover } from "./proof.ts";
import { checkToken } from "./token.ts";
import { TurnedAway } from "./turned_away.ts";
import { after } from "./wait.ts";

const GREETING_TIME = 5;
/** Strangers that are heard at once; the one that has been there longest makes room for a new one. */
const MOST_STRANGERS = 256;
/** Milliseconds without which a connection that cannot be accepted would be tried over and over. */
const ACCEPT_AGAIN_MS = 10;
const BACKLOG = 1024;

/** Options of {@linkcode Rendezvous}. */
export interface RendezvousOptions {
  /** Address to listen at; default this machine only. */
  readonly host?: string;
  /** 0, the default: a free one. */
  readonly port?: number;
  readonly token: string;
  /** All processes, with this one. */
  readonly processes: number;
  /** Seconds in which a stranger must have proven itself, from the first byte to the last; default 5. */
  readonly greetingTime?: number;
}

/** Lets those in that know the token. */
export class Rendezvous {
  readonly host: string;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #prover: Prover;
  readonly #processes: number;
  readonly #greetingTime: number;
  readonly #members = new Map<number, Member>();
  /** With what ends each; oldest first. */
  readonly #strangers = new Map<Frames, (reason: string) => void>();
  readonly #turnedAway = new TurnedAway();
  #changed: () => void = () => {};
  #over = false;
  readonly #serving: Promise<void>;

  /** @throws {SchemoeError} when the address cannot be bound. */
  constructor(options: RendezvousOptions) {
    const { host = "127.0.0.1", port = 0 } = options;
    this.#prover = new Prover(checkToken(options.token));
    this.#processes = options.processes;
    this.#greetingTime = options.greetingTime ?? GREETING_TIME;
    try {
      this.#listener = Deno.listen({ hostname: host, port, tcpBacklog: BACKLOG });
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
   * @throws {SchemoeError} naming processes that did not join in time (seconds), and addresses that were turned away.
   */
  async gather(timeLimit: number, failed?: Promise<never>): Promise<Member[]> {
    const late = after(timeLimit * 1000);
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
          `Cannot gather the workers at ${this.host} port ${this.port}: ${who} ${
            missing.join(", ")
          } did not join within ${timeLimit} s${this.#turnedAway}`,
          { status: 10 },
        );
      }
    } catch (error) {
      for (const member of this.#members.values()) member.close("the others did not come");
      throw error;
    } finally {
      late.cancel();
      await this.close();
    }
    return [...this.#members.values()].toSorted((a, b) => a.process - b.process);
  }

  /** Stops listening; those who joined stay. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#listener.close();
    for (const end of this.#strangers.values()) end("all have joined");
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const greeting = new Set<Promise<void>>();
    while (!this.#over) {
      try {
        const connection = await this.#listener.accept();
        const greeted = this.#greet(connection).finally(() => greeting.delete(greeted));
        greeting.add(greeted);
      } catch {
        // It was reset before it was accepted, or there are too many open files: others can still join.
        if (!this.#over) await after(ACCEPT_AGAIN_MS).promise;
      }
    }
    await Promise.all(greeting);
  }

  /** Never rejects. */
  async #greet(connection: Deno.TcpConn): Promise<void> {
    let address = "an address that is not known any more";
    let frames: Frames | undefined;
    let why: string | undefined;
    const end = (reason: string) => {
      why ??= reason;
      if (frames) frames.close();
      else closeQuietly(connection);
    };
    const late = `it did not introduce itself within ${this.#greetingTime} s`;
    const limit = after(1000 * this.#greetingTime, () => end(late));
    try {
      const { hostname, port } = connection.remoteAddr;
      address = `${hostname} port ${port}`;
      frames = new Frames(connection, STRANGER);
      this.#makeRoom();
      this.#strangers.set(frames, end);
      const problem = await this.#examine(frames);
      if (problem !== undefined) end(problem);
    } catch (error) {
      end(
        error instanceof SchemoeError
          ? error.message.replace(READING, "")
          : `its connection failed: ${(error as Error).message}`,
      );
    } finally {
      limit.cancel();
      if (frames) this.#strangers.delete(frames);
    }
    if (why !== undefined && !this.#over) this.#turnedAway.add(address, why);
  }

  /** Of too many strangers, closes the one that is there longest; a worker would try again. */
  #makeRoom(): void {
    if (this.#strangers.size < MOST_STRANGERS) return;
    const [[oldest, end]] = this.#strangers;
    this.#strangers.delete(oldest);
    end("too many others came");
  }

  #examine(frames: Frames): Promise<string | undefined> {
    return examine(frames, {
      prover: this.#prover,
      processes: this.#processes,
      admit: (introduction, welcome) => {
        const problem = this.#judge(introduction);
        if (problem !== undefined) return problem;
        const { process } = introduction;
        frames.trust();
        frames.send(welcome).catch(() => {});
        this.#members.get(process)?.close("it joined again");
        const member = new Member(introduction, frames);
        this.#members.set(process, member);
        void member.ended.then(() => this.#left(member));
        this.#changed();
      },
    });
  }

  /** Why it may not join. */
  #judge({ process, pid, host }: Introduction): string | undefined {
    if (process < 1 || process >= this.#processes) {
      return `process ${process} is not one of 1 to ${this.#processes - 1}`;
    }
    if (this.#over) return "all have joined";
    const other = this.#members.get(process);
    // The same one comes again when its first connection broke before it was welcomed.
    if (!other || other.gone !== undefined || (other.pid === pid && other.host === host)) return;
    return `process ${process} has joined already, with pid ${other.pid} on ${other.host}`;
  }

  /** Who leaves before all are there makes room for another of its number. */
  #left(member: Member): void {
    if (this.#over || this.#members.get(member.process) !== member) return;
    this.#members.delete(member.process);
    this.#turnedAway.add(member.name, `it joined, and left: ${member.gone}`);
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch { /* it was closed */ }
}
