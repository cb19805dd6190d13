/** @module */
import { aFunction, anything, expect, maybe, options } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import { notebook } from "../../notebook.ts";
import { formatTime } from "../table/format.ts";
import { quoted } from "../../words.ts";

const PROGRESS_OPTIONS = options({ sink: anything, now: maybe(aFunction) });

/** A line that tells how far something is. */
export interface Progress {
  /** Says that `steps` (default 1) more are done, with a word on the last one if there is any. */
  advance(steps?: number, note?: string): void;
  /** Keeps the line as it is at the end; the returned promise is fulfilled once it was sent. */
  done(note?: string): Promise<void>;
}

/** Where a line of progress goes. */
export interface ProgressSink {
  /** Shows the line in place of the one shown before. */
  write(line: string, final: boolean): void | Promise<void>;
}

/** Work shorter than this shows nothing, and lines are at least this far apart; milliseconds. */
const PATIENCE = 1000;
const PAUSE = 200;

/**
 * Tells how far a long piece of work is, in one line that is written over: in a notebook by updating
 * one output, on a terminal by a carriage return, else not at all. What takes less than a second
 * shows nothing; the last state stays.
 *
 * ```ts
 * import { progress } from "@schemoe/lab/timeline";
 * const line = progress(3, "schedules");
 * for (const name of ["sequential", "optSche", "manual"]) line.advance(1, name);
 * await line.done();
 * ```
 * @param total number of steps, at least 1.
 * @param options.sink where lines go; default: the notebook or the terminal.
 * @param options.now milliseconds; default the clock.
 * @throws {SchemoeError} when total is not a positive integer.
 */
export function progress(
  total: number,
  label: string,
  options: { readonly sink?: ProgressSink; readonly now?: () => number } = {},
): Progress {
  expect("progress", "options", options, PROGRESS_OPTIONS);
  if (!(Number.isInteger(total) && total > 0)) {
    throw new SchemoeError(
      `Cannot show the progress: total is ${quoted(total)}, not a positive integer`,
    );
  }
  const { sink = defaultSink(), now = () => performance.now() } = options;
  const begun = now();
  let shown = -Infinity, steps = 0, sent: Promise<unknown> = Promise.resolve(), ended = false;
  const write = (note: string | undefined, final: boolean) => {
    const past = now() - begun;
    const left = steps > 0 && steps < total ? past / steps * (total - steps) : 0;
    const rest = left > 0 && !final ? `, ${formatTime(left * 1e6)} left` : "";
    const line = `${label} ${steps}/${total} · ${formatTime(past * 1e6)}${rest}${
      note ? ` · ${note}` : ""
    }`;
    sent = sent.then(() => sink?.write(line, final));
  };
  return {
    advance(by = 1, note) {
      if (ended) return;
      steps = Math.min(total, steps + by);
      const time = now();
      if (time - begun < PATIENCE || time - shown < PAUSE) return;
      shown = time;
      write(note, false);
    },
    async done(note) {
      if (!ended && shown > -Infinity) write(note, true);
      ended = true;
      await sent;
    },
  };
}

function defaultSink(): ProgressSink | undefined {
  const jupyter = notebook();
  if (jupyter) return notebookSink(jupyter);
  return Deno.stderr.isTerminal() ? terminalSink((text) => Deno.stderr.writeSync(text)) : undefined;
}

/** A terminal's line, written over; cut to what a narrow terminal holds. */
export function terminalSink(write: (text: Uint8Array) => unknown): ProgressSink {
  const encoder = new TextEncoder();
  return {
    write: (line, final) =>
      void write(encoder.encode(`\r${line.slice(0, 79)}\x1b[K${final ? "\n" : ""}`)),
  };
}

/** One output of a notebook, updated. */
function notebookSink(jupyter: typeof Deno.jupyter): ProgressSink {
  const id = crypto.randomUUID();
  let first = true;
  return {
    async write(line, final) {
      const type = first ? "display_data" : "update_display_data";
      first = false;
      const data = { "text/plain": line };
      await jupyter.broadcast(type, { data, metadata: {}, transient: { display_id: id } });
      // an output sent just before the cell ends can be lost
      if (final) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}
