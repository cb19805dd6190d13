/** How long a run may take that nobody gave a limit. @module */
import { notebook } from "../notebook.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/** Seconds that a run may take by default, and in a notebook, whose cells cannot be interrupted while they wait. */
const TIME_LIMIT = 600;
const NOTEBOOK_TIME_LIMIT = 60;

/** Seconds. */
export function defaultTimeLimit(inNotebook = notebook() !== undefined): number {
  return inNotebook ? NOTEBOOK_TIME_LIMIT : TIME_LIMIT;
}

/**
 * What is wrong with a limit; undefined where nothing is.
 * @param limit seconds, as a caller gave them
 */
export function limitProblem(limit: unknown): string | undefined {
  if (typeof limit === "number" && limit > 0) return undefined;
  if (typeof limit === "number") return `the time limit ${limit} is not positive`;
  return `the time limit ${quoted(limit)} is not a number of seconds`;
}

/** Says where a limit comes from that nobody gave. */
export function sayLimit(error: SchemoeError, inNotebook = notebook() !== undefined): SchemoeError {
  const { message, status, rank, cause } = error;
  const where = inNotebook
    ? "the default in a notebook, where a cell that waits cannot be interrupted"
    : "the default";
  return new SchemoeError(`${message}; that is ${where}: give a run more with timeLimit`, {
    status,
    rank,
    cause: cause ?? error,
  });
}
