/** Operations that wait until all their peers have begun. @module */
import type { Meeting } from "./meeting.ts";

export class Posts {
  /** Per operation: peers that have not posted, less those that did before the operation itself. */
  readonly #missing: Int32Array;
  readonly #serve: (at: number, time: number) => void;

  /** @param serve is told of each operation whose peers have all posted. */
  constructor(operations: number, serve: (at: number, time: number) => void) {
    this.#missing = new Int32Array(operations);
    this.#serve = serve;
  }

  /** An operation of a column has begun. */
  post(at: number, column: number, time: number, meeting: Meeting | undefined): void {
    if (!meeting) return this.#serve(at, time);
    const base = at - column;
    if (meeting.group) return this.#join(base, meeting.group(column), time);
    const peers = meeting.peers(column);
    for (let i = 0; i < peers.length; i++) {
      const other = base + peers[i];
      if (--this.#missing[other] === 0) this.#serve(other, time);
    }
    this.#missing[at] += peers.length;
    if (this.#missing[at] === 0) this.#serve(at, time);
  }

  /** One of a group in which all meet has posted; its first member counts for all. */
  #join(base: number, members: readonly number[], time: number): void {
    if (++this.#missing[base + members[0]] < members.length) return;
    for (const column of members) this.#serve(base + column, time);
  }
}
