/** Who could not join, and why, for the message of a gathering that failed. @module */

/** Strangers that a message names. */
const MOST_NAMED = 5;
/** Reasons that are kept: strangers must not fill the memory. */
const MOST_KEPT = 256;

/** Counts strangers by host and reason, since a worker that is turned away tries again. */
export class TurnedAway {
  readonly #seen = new Map<string, { address: string; reason: string; times: number }>();

  /** @param address such as `127.0.0.1 port 4711`, whose port may be another each time. */
  add(address: string, reason: string): void {
    const key = `${address.split(" port ")[0]} ${reason}`;
    const known = this.#seen.get(key);
    if (known) known.times++;
    else if (this.#seen.size < MOST_KEPT) this.#seen.set(key, { address, reason, times: 1 });
  }

  /** `; turned away: 127.0.0.1 port 4711: its token is not the session's (3 times)`, or nothing. */
  toString(): string {
    if (this.#seen.size === 0) return "";
    const named = [...this.#seen.values()].slice(0, MOST_NAMED).map(({ address, reason, times }) =>
      `${address}: ${reason}${times > 1 ? ` (${times} times)` : ""}`
    );
    const more = this.#seen.size - named.length;
    return `; turned away: ${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  }
}
