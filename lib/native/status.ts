/**
 * From a native status and its text to an error: the one way out of every native call.
 * @module
 */
import { SchemoeError } from "../types.ts";

/** Numbers of `schemoe_status`. */
export const Status = {
  ok: 0,
  invalid: 1,
  outOfMemory: 2,
  cancelled: 3,
  timeLimit: 4,
  hostFailed: 5,
  unsupported: 6,
  device: 7,
  closed: 8,
  busy: 9,
  peer: 10,
} as const;

const TEXT_BYTES = 1024;

/** Where a native call writes what went wrong; one for each call that may be under way. */
export class ErrorText {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(TEXT_BYTES);
  readonly size = BigInt(TEXT_BYTES);

  /** @throws {SchemoeError} with the text, unless the status is 0. */
  unwrap(status: number): void {
    if (status !== Status.ok) throw this.error(status);
  }

  /** The error of a status, with the first rank that the text names. */
  error(status: number): SchemoeError {
    const text = new TextDecoder().decode(this.bytes.subarray(0, this.bytes.indexOf(0)));
    const rank = /\brank (\d+)\b/.exec(text)?.[1];
    return new SchemoeError(text || `The native library failed with status ${status}`, {
      status,
      rank: rank === undefined ? undefined : Number(rank),
    });
  }
}
