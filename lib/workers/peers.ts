/** The other processes of one engine: asked and named. @module */
import { Status } from "../native/status.ts";
import { SchemoeError } from "../types.ts";
import { digest } from "./digest.ts";
import type { Fields, Frame } from "./frames.ts";
import type { Member } from "./member.ts";
import type { Span } from "./part.ts";

/** What {@linkcode Peers} is made of. */
export interface PeersOptions {
  /** Number of the engine in all processes. */
  readonly engine: number;
  readonly members: readonly Member[];
  /** Ranks of each process, this one first. */
  readonly spans: readonly Span[];
}

export class Peers {
  readonly members: readonly Member[];
  readonly spans: readonly Span[];
  readonly #engine: number;

  constructor({ engine, members, spans }: PeersOptions) {
    this.#engine = engine;
    this.members = members;
    this.spans = spans;
  }

  /** `process 1 (pid 7 on node-b, ranks 2 to 3)`. */
  name(member: Member): string {
    const { first, ranks } = this.spans[member.process];
    const who = ranks === 1 ? `rank ${first}` : `ranks ${first} to ${first + ranks - 1}`;
    return `process ${member.process} (pid ${member.pid} on ${member.host}, ${who})`;
  }

  /** Asks about the engine. @throws {SchemoeError} naming the ranks of a process that is gone. */
  async ask(member: Member, fields: Fields, body?: Uint8Array): Promise<Frame> {
    try {
      return await member.ask({ ...fields, engine: this.#engine }, body);
    } catch (cause) {
      if (member.gone === undefined) throw cause;
      throw this.error(member, `Cannot reach ${this.name(member)}: ${member.gone}`, cause);
    }
  }

  /** Asks all and drops the answers: that it failed, a later question shows too. */
  tell(fields: Fields): void {
    for (const member of this.members) this.ask(member, fields).catch(() => {});
  }

  /** Sends a Program to all; one promise each, rejected where it got another one. */
  agree(packed: Uint8Array<ArrayBuffer>, fields: Omit<Fields, "kind">): Promise<void>[] {
    const own = digest(packed);
    return this.members.map(async (member) => {
      const answer = await this.ask(member, { kind: "prepare", ...fields }, packed);
      if (answer.fields.digest === await own) return;
      throw this.error(member, `Cannot run the Program: ${this.name(member)} has another one`);
    });
  }

  /** Rejects naming a process that has not agreed, or gives no sign of life, for so many seconds. */
  async ready(agreed: readonly Promise<void>[], seconds: number): Promise<void> {
    const missing = new Set(this.members);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const [member] = missing;
      const name = this.name(member);
      late.reject(
        this.error(member, `Cannot begin the run: ${name} does not answer for ${seconds} s`),
      );
    }, seconds * 1000);
    // A ping besides, since it may have had the Program for long.
    const answers = this.members.map(async (member, i) => {
      await Promise.all([agreed[i], this.ask(member, { kind: "ping" })]);
      missing.delete(member);
    });
    for (const answer of answers) answer.catch(() => {});
    try {
      await Promise.race([Promise.all(answers), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** An error whose cause is a process. */
  error(member: Member, message: string, cause?: unknown): SchemoeError {
    return new SchemoeError(message, {
      status: Status.peer,
      rank: this.spans[member.process].first,
      cause,
    });
  }
}
