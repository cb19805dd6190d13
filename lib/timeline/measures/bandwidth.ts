/** @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import type { Subject, Timeline } from "../table/columns.ts";
import { exchangesOf } from "../table/exchanges.ts";
import { groupBy, type Operation, operationsOf } from "../table/operations.ts";
import { quoted } from "../../words.ts";

const BUS_BANDWIDTH_OPTIONS = options({ size: anything });

/**
 * Bus bandwidth of each all-to-all: a table with `pass`, `name` (letter and chunk, all phases
 * together), `bytes`, `ns` and `bytes_per_second`.
 *
 * As nccl-tests defines it, `S / t * (n - 1) / n`, where S is the size of a rank's input, n the number
 * of ranks and t the time, here the mean over ranks from the first transfer to the last, waiting for
 * peers left out (https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md). An algorithm
 * that sends each slice straight to its target sends exactly `S (n - 1) / n` bytes over links, and
 * that is taken from the column `bytes`. One that forwards slices sends more: give `size`.
 *
 * @param options.size S: bytes of a rank's input of one all-to-all, its own slice counted.
 * @throws {SchemoeError} when size is not positive, a column is missing or there are several runs.
 */
export function busBandwidth(
  timeline: Subject,
  options: { readonly size?: number } = {},
): Timeline {
  expect("busBandwidth", "options", options, BUS_BANDWIDTH_OPTIONS);
  const { size } = options;
  if (size !== undefined && !(typeof size === "number" && size > 0 && size < Infinity)) {
    throw new SchemoeError(
      `Cannot compute the bus bandwidth: size is ${quoted(size)}, not a number of bytes`,
    );
  }
  const operations = operationsOf(timeline);
  const ranks = new Set(operations.all.map(({ rank }) => rank)).size;
  const list = exchangesOf(operations).map(({ pass, name, phases }) => {
    const times = [...groupBy(phases, ({ rank }) => `${rank}`).values()].map(spanOf);
    const ns = times.reduce((sum, time) => sum + time.ns, 0) / times.length;
    const sent = times.reduce((most, time) => Math.max(most, time.bytes), 0);
    const bytes = size === undefined ? sent : size * (ranks - 1) / ranks;
    return { pass, name, bytes, ns };
  });
  return table({
    pass: list.map(({ pass }) => pass),
    name: list.map(({ name }) => name),
    bytes: Float64Array.from(list, ({ bytes }) => bytes),
    ns: Float64Array.from(list, ({ ns }) => ns),
    bytes_per_second: Float64Array.from(list, ({ bytes, ns }) => bytes / ns * 1e9),
  });
}

/** Time of the phases of one rank, from the first transfer to the last, and the bytes sent. */
function spanOf(phases: readonly Operation[]) {
  let begin = Infinity, end = -Infinity, bytes = 0;
  for (const phase of phases) {
    begin = Math.min(begin, phase.begun);
    end = Math.max(end, phase.end);
    bytes += phase.bytes;
  }
  return { ns: end - begin, bytes };
}
