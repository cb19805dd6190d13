/** Exchanges by copy engines alone: who copies, in which order, and what waits for what. @module */
import { libraryPath } from "../../native/library.ts";
import { SchemoeError } from "../../types.ts";
import { quiet } from "../build/command.ts";
import type { SeveralGpus } from "./options.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";

const KIB = 1 << 10;
/** Bytes from each rank to each other one. */
const SIZES = [256 * KIB, 2048 * KIB, 8192 * KIB, 32_768 * KIB, 131_072 * KIB];
/** Ranks where there is one GPU: nothing crosses a link, and that all runs is what shows. */
const RANKS_OF_ONE = 4;

/** How the engine exchanges: the receiver copies, all senders in one call, ranks wait for each other after it. */
const OF_ENGINE = { by: "pull", order: "batch beside kernels", waits: "exchanges" } as const;

/** What the program prints of one way and size. */
export interface CopyLine {
  readonly bytes: number;
  readonly by: string;
  readonly order: string;
  readonly waits: string;
  readonly begin: string;
  readonly ms: number;
  readonly fastest: number;
  /** Sender, receiver, begin and end in milliseconds. */
  readonly copies?: readonly (readonly [number, number, number, number])[];
}

/** All ways at all sizes, and the fastest of each size beside the engine's way. */
export async function* benchCopyOrders({ gpus, shapes }: SeveralGpus): AsyncGenerator<Report> {
  if (shapes) throw new SchemoeError("--shapes is no option of copies, whose sizes are its own");
  const devices = gpus === 1
    ? Array<number>(RANKS_OF_ONE).fill(0)
    : Array.from({ length: gpus }, (_, rank) => rank);
  const library = libraryPath("cuda");
  const program = `${library.slice(0, library.lastIndexOf("/"))}/test/cuda/copy_orders`;
  const lines = parseCopies(await quiet([program, devices.join(), ...SIZES.map(String)]));
  const configuration: Row = {
    ranks: devices.length,
    gpus,
    by: "whose copy engine: push the sender's, pull the receiver's",
    order:
      "linear from the next rank on, fixed from rank 0 on, pairwise by exclusive or; streams: one " +
      "for each partner; batch: one call for all partners",
    waits: "for all ranks after each copy, after each exchange, or for nobody",
    begin: "apart: ranks one after another, the last one about an exchange late",
    rankGBs:
      "what a rank sends to others over the time of an exchange, of the rank that takes longest",
    linkGBs: "of single copies: least, median, most",
    fromOneRank:
      "copies from a rank that are in progress at once, while any is; toOneRank likewise",
  };
  yield { name: "copies", configuration, rows: lines.map((line) => copyRow(line, devices.length)) };
  yield { name: "fastestCopies", configuration, rows: fastestRows(lines, devices.length) };
}

/** @throws {SchemoeError} when there are none. */
export function parseCopies(output: string): CopyLine[] {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  if (lines.length > 0) return lines.map((line) => JSON.parse(line));
  throw new SchemoeError(`Cannot time copies: the program printed no times\n${output}`);
}

/** Gigabytes a second that a rank sends. */
const rankRate = ({ bytes, ms }: CopyLine, ranks: number): number => (ranks - 1) * bytes / ms / 1e6;

/** One way as a row. */
export function copyRow(line: CopyLine, ranks: number): Row {
  const { bytes, by, order, waits, begin, ms, fastest, copies } = line;
  return {
    ...{ bytes, by, order, waits, begin, ms, fastest },
    rankGBs: hundredths(rankRate(line, ranks)),
    ...(copies ? linkColumns(bytes, copies) : {}),
  };
}

function linkColumns(bytes: number, copies: NonNullable<CopyLine["copies"]>): Row {
  const rates = copies.map(([, , begin, end]) => bytes / Math.max(end - begin, 1e-6) / 1e6);
  const text = [Math.min(...rates), median(rates), Math.max(...rates)].map((rate) =>
    rate.toFixed(1)
  );
  return {
    linkGBs: text.join(" "),
    fromOneRank: hundredths(atOnce(copies.map(([from, , begin, end]) => [from, begin, end]))),
    toOneRank: hundredths(atOnce(copies.map(([, to, begin, end]) => [to, begin, end]))),
  };
}

/**
 * Of each rank the sum of its intervals over the time in which any of them was in progress, at the mean of the ranks: 1 where
 * they are one after another.
 */
export function atOnce(intervals: readonly (readonly [rank: number, number, number])[]): number {
  const byRank = Map.groupBy(intervals, ([rank]) => rank);
  let sum = 0;
  for (const list of byRank.values()) {
    let [all, any, until] = [0, 0, -Infinity];
    for (const [, begin, end] of list.toSorted((a, b) => a[1] - b[1])) {
      all += end - begin;
      any += Math.max(0, end - Math.max(until, begin));
      until = Math.max(until, end);
    }
    sum += any > 0 ? all / any : 1;
  }
  return sum / byRank.size;
}

/** For each size and beginning the fastest way, and how much longer the engine's way takes. */
export function fastestRows(lines: readonly CopyLine[], ranks: number): Row[] {
  const groups = Map.groupBy(lines, ({ bytes, begin }) => `${bytes} ${begin}`);
  return [...groups.values()].map((list) => {
    const best = list.reduce((a, b) => b.ms < a.ms ? b : a);
    const engine = list.find(({ by, order, waits }) =>
      by === OF_ENGINE.by && order === OF_ENGINE.order && waits === OF_ENGINE.waits
    );
    return {
      bytes: best.bytes,
      begin: best.begin,
      fastest: `${best.by}, ${best.order}, waits for ${best.waits}`,
      rankGBs: hundredths(rankRate(best, ranks)),
      ...(engine
        ? {
          engineRankGBs: hundredths(rankRate(engine, ranks)),
          engineOverFastest: hundredths(engine.ms / best.ms),
        }
        : {}),
    };
  });
}
