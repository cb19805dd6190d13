/** Which process is the cause of a run that failed. @module */
import { type FailureParts, NativeError } from "../native/failure.ts";
import { Status } from "../native/status.ts";
import { SchemoeError } from "../types.ts";
import type { Span } from "./part.ts";

/** How a run ended in one process. */
export interface Outcome {
  readonly process: number;
  readonly span: Span;
  /** Of another process; empty for this one. */
  readonly name: string;
  events?: BigUint64Array;
  error?: unknown;
  /** Why its connection has ended. */
  gone?: string;
  /** Seconds since it gave a sign of life, when that is too long. */
  silent?: number;
}

/** Statuses that only say that another process failed, or that the run was ended from outside. */
const CONSEQUENCES: readonly (number | undefined)[] = [
  Status.peer,
  Status.cancelled,
  Status.closed,
  Status.timeLimit,
];

/**
 * The error of a run that failed, or undefined for one that did not: a process that is gone or silent
 * before an error of its own in a process, before the operation that all wait for.
 */
export function blame(outcomes: readonly Outcome[], timeLimit: number): SchemoeError | undefined {
  if (outcomes.every(({ events }) => events)) return undefined;
  const gone = outcomes.find((outcome) => outcome.gone !== undefined);
  if (gone) return peer(gone, gone.gone!);
  const silent = outcomes.find((outcome) => outcome.silent !== undefined);
  if (silent) {
    return peer(
      silent,
      `it has given no sign of life for ${
        silent.silent!.toFixed(1)
      } s, so it was stopped or cannot be reached`,
    );
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const own = failed.find(({ error }) =>
    !isFinding(error) && !CONSEQUENCES.includes((error as SchemoeError).status)
  );
  if (own) return located(own);
  const [found] = failed.filter(({ error }) => isFinding(error))
    .toSorted((a, b) => placeOf(a) - placeOf(b));
  if (found && failed.every(({ error }) => isFinding(error))) return located(found);
  if (failed.some(({ error }) => (error as SchemoeError).status === Status.timeLimit)) {
    return slow(failed, timeLimit);
  }
  const lost = failed.find(({ error }) => (error as SchemoeError).status === Status.peer);
  const first = lost ?? failed[0];
  if (first) return located(first);
  return new SchemoeError("Cannot finish the run: the processes did not end it", {
    status: Status.peer,
  });
}

/** What a run that came to its end found: a number that is not finite. */
export const isFinding = (error: unknown): boolean =>
  error instanceof NativeError && error.status === Status.notFinite;

function peer(outcome: Outcome, reason: string): SchemoeError {
  return new SchemoeError(`Cannot finish the run: ${outcome.name}: ${reason}`, {
    status: Status.peer,
    rank: outcome.span.first,
    cause: outcome.error,
  });
}

/** The run was too long: of what the processes did not get done, all wait for the first. */
function slow(failed: readonly Outcome[], timeLimit: number): SchemoeError {
  const [first] = failed.toSorted((a, b) => firstUnfinished(a) - firstUnfinished(b));
  const error = first.error as SchemoeError;
  const text = `Cannot finish the run in ${timeLimit} s`;
  const status = Status.timeLimit;
  const parts: FailureParts = error instanceof NativeError && error.parts.unfinished
    ? { ...error.parts, status, text }
    : { status, rank: error.rank ?? first.span.first, text: `${text}: ${error.message}` };
  return located({ ...first, error: new NativeError(parts, { cause: error }) });
}

/** The error of one process, saying which. */
function located({ error, name }: Outcome): SchemoeError {
  if (!(error instanceof SchemoeError)) {
    return new SchemoeError(`Cannot finish the run: ${error}`, { cause: error });
  }
  if (error instanceof NativeError) {
    const process = name === "" ? undefined : name;
    return new NativeError({ ...error.parts, process }, { cause: error });
  }
  const { message, status, rank } = error;
  return new SchemoeError(name === "" ? message : `${message} [${name}]`, {
    status,
    rank,
    cause: error,
  });
}

/** Place in the total order of the operation that an error names. */
function placeOf({ error }: Outcome): number {
  const { task, rank } = error instanceof NativeError ? error.parts : {};
  return task === undefined || rank === undefined ? Infinity : task * (1 << 20) + rank;
}

/** The same of the first one that a process did not get done. */
const firstUnfinished = (outcome: Outcome): number =>
  outcome.error instanceof NativeError && outcome.error.parts.unfinished
    ? placeOf(outcome)
    : Infinity;
