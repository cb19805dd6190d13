/**
 * Failures of the native library: their fields, and the messages made of them. The one way out of every
 * native call.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { Status } from "./status.ts";

/** Fields of a `schemoe_failure`; undefined where they do not apply. */
export interface FailureParts {
  readonly status: number;
  /** Position of a task in the Program's order. */
  readonly task?: number;
  readonly rank?: number;
  /** Native id of a buffer. */
  readonly buffer?: number;
  /** What could not be done, and why; names none of the fields. */
  readonly text: string;
  /** Of a run that was ended: the unfinished part of the task. */
  readonly unfinished?: string;
  /** Process in which it happened, if not this one. */
  readonly process?: string;
}

/** Names of the numbers in a failure. */
export interface FailureNames {
  readonly task?: (position: number) => string | undefined;
  readonly buffer?: (id: number) => string | undefined;
}

/** A {@linkcode SchemoeError} of the native library, which keeps the fields it was made of. */
export class NativeError extends SchemoeError {
  readonly parts: FailureParts;

  constructor(
    parts: FailureParts,
    { names, cause }: { names?: FailureNames; cause?: unknown } = {},
  ) {
    super(failureMessage(parts, names), { status: parts.status, rank: parts.rank, cause });
    this.parts = parts;
  }
}

/**
 * `Cannot run kernel fill: 8 bytes are needed, the buffer has 4, in task E[0] on rank 1, buffer "y"`, or of a
 * run that was ended `Cannot finish the run in 1 s: task E[0] on rank 1 (compute lane) is computing`.
 */
export function failureMessage(parts: FailureParts, names: FailureNames = {}): string {
  const { task, rank, buffer, unfinished } = parts;
  const nameOfTask = task === undefined ? undefined : names.task?.(task) ?? `#${task}`;
  const by = parts.process ? ` [${parts.process}]` : "";
  if (unfinished) return `${parts.text}: task ${nameOfTask} on rank ${rank} ${unfinished}${by}`;
  const ofBuffer = buffer === undefined ? undefined : names.buffer?.(buffer);
  const where = [
    nameOfTask === undefined ? "" : `in task ${nameOfTask}`,
    rank === undefined ? "" : `on rank ${rank}`,
  ].filter((part) => part !== "").join(" ");
  const which = buffer === undefined
    ? ""
    : `buffer ${ofBuffer === undefined ? `#${buffer}` : `"${ofBuffer}"`}`;
  return [parts.text, where, which].filter((part) => part !== "").join(", ") + by;
}

/** The same error with names where the library knew only numbers; other errors as they are. */
export function withNames(error: unknown, names: FailureNames): unknown {
  return error instanceof NativeError
    ? new NativeError(error.parts, { names, cause: error.cause })
    : error;
}

/** Members of a `schemoe_failure`: a test compares them with what the library reports. */
export const FAILURE = {
  size: 1280,
  members: { status: 0, task: 4, rank: 8, buffer: 12, text: 16, unfinished: 1024 },
} as const;
/** `SCHEMOE_NONE`. */
const NONE = 0xffff_ffff;

/** Where a native call writes what went wrong; one for each call that may be under way. */
export class FailureRecord {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FAILURE.size);

  /** @throws {NativeError} unless the status is 0. */
  unwrap(status: number): void {
    if (status !== Status.ok) throw this.error(status);
  }

  /** The error of a status. */
  error(status: number): NativeError {
    const { members, size } = FAILURE;
    const view = new DataView(this.bytes.buffer);
    const number = (offset: number) => {
      const value = view.getUint32(offset, true);
      return value === NONE ? undefined : value;
    };
    const text = (begin: number, end: number) => {
      const bytes = this.bytes.subarray(begin, end);
      return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    };
    const unfinished = text(members.unfinished, size);
    return new NativeError({
      status,
      task: number(members.task),
      rank: number(members.rank),
      buffer: number(members.buffer),
      text: text(members.text, members.unfinished) ||
        `The native library failed with status ${status}`,
      ...(unfinished === "" ? {} : { unfinished }),
    });
  }
}
