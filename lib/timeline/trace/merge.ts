/**
 * Traces of other programs on one time axis, each process on its rank.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import type { ForeignTrace } from "./foreign.ts";
import type { RowCollector } from "./rows.ts";

/** Which ranks there are. */
export interface RankOptions {
  readonly ranks?: readonly number[];
  readonly ranksPerNode?: number;
  readonly processes?: "ranks" | "devices";
}

/** Nanoseconds between two files beyond which one of them lacks its base time: ten years. */
const MOST_APART = 10 * 365.25 * 86400e9;

/** Puts files on one time axis and adds their rows, by rank and then by time. */
export function mergeForeign(
  files: readonly ForeignTrace[],
  options: RankOptions,
  into: RowCollector,
): void {
  const first = files.map(({ rows: { begin } }) => {
    let least = Infinity;
    for (let row = 0; row < begin.length; row++) least = Math.min(least, begin.at(row));
    return least;
  });
  const shifts = shiftsOf(files, first);
  const taken = new Map<number, string>();
  const placed = files.map((file, i) => {
    const ranks = ranksOf(file, { ...options, index: i, files: files.length });
    for (const rank of new Set(ranks.values())) {
      const other = taken.get(rank);
      if (other !== undefined) {
        throw new SchemoeError(
          `Cannot import the traces: ${other} and ${file.file} are both of rank ${rank}; ` +
            `say which with "ranks"`,
        );
      }
      taken.set(rank, file.file);
    }
    let least = Infinity;
    for (const rank of ranks.values()) least = Math.min(least, rank);
    return { file, ranks, shift: shifts[i], zero: first[i], least };
  });
  for (const one of placed.toSorted((a, b) => a.least - b.least)) {
    addRows(one, options.ranksPerNode ?? Infinity, into);
  }
}

/** Nanoseconds from the first event of all files to the first of each. */
function shiftsOf(files: readonly ForeignTrace[], first: readonly number[]): number[] {
  const base = (i: number) => files[i].base ?? 0n;
  const shifts = files.map((_, i) => (first[i] - first[0]) * 1000 + Number(base(i) - base(0)));
  const earliest = shifts.reduce((a, b) => Math.min(a, b));
  const latest = shifts.reduce((a, b) => Math.max(a, b));
  const without = files.find((file) => file.base === undefined);
  if (latest - earliest > MOST_APART && without) {
    const years = Math.round((latest - earliest) / (365.25 * 86400e9));
    throw new SchemoeError(
      `Cannot import the traces: they begin ${years} years apart; ${without.file} has no ` +
        `"baseTimeNanoseconds", which others have`,
    );
  }
  return shifts.map((shift) => shift - earliest);
}

/** A file, the rank of each of its processes, and where its times begin. */
interface PlacedFile {
  readonly file: ForeignTrace;
  readonly ranks: ReadonlyMap<string, number>;
  readonly shift: number;
  readonly zero: number;
}

function addRows(
  { file: { rows }, ranks, shift, zero }: PlacedFile,
  ranksPerNode: number,
  into: RowCollector,
): void {
  const { process, begin, duration } = rows;
  const rankOf = (row: number) => ranks.get(process.at(row))!;
  const compare = (a: number, b: number) =>
    rankOf(a) - rankOf(b) || begin.at(a) - begin.at(b) || duration.at(b) - duration.at(a) || a - b;
  const order = new Uint32Array(begin.length).map((_, row) => row);
  if (order.some((row) => row > 0 && compare(row - 1, row) > 0)) order.sort(compare);
  for (const row of order) {
    const rank = rankOf(row);
    const start_ns = picoseconds(shift + (begin.at(row) - zero) * 1000);
    into.add({
      pass: "trace",
      rank,
      node: Math.floor(rank / ranksPerNode),
      lane: rows.lane.at(row),
      kind: rows.kind.at(row),
      chunk: null,
      name: rows.name.at(row),
      label: rows.label.at(row),
      ready_ns: start_ns,
      start_ns,
      end_ns: start_ns + picoseconds(duration.at(row) * 1000),
      wait_ns: 0,
      bytes: rows.bytes.at(row),
      flops: 0,
      deps: null,
    });
  }
}

/** Multiplying microseconds leaves digits that were never there. */
const picoseconds = (ns: number): number => Math.round(ns * 1000) / 1000;

/**
 * Rank of each process of a file. A file is one rank, unless several of its processes ran kernels: a
 * tool that merges the files of ranks keeps one head and tells them apart by their processes. Copies
 * alone do not count, since a rank may touch the memory of another GPU.
 */
function ranksOf(
  { file, processes, computing, gpu, ranks: heads, worldSize }: ForeignTrace,
  { ranks, processes: are, index, files }: RankOptions & { index: number; files: number },
): Map<string, number> {
  const given = ranks?.[index];
  const merged = are === "ranks" ||
    (are === undefined && given === undefined && (gpu ? computing.size > 1 : files === 1));
  if (!merged) {
    const rank = given ?? heads[0] ?? (files > 1 ? index : 0);
    return new Map(processes.map((process) => [process, rank]));
  }
  if (heads.length === processes.length && given === undefined) {
    return new Map(processes.map((process, i) => [process, heads[i]]));
  }
  const order = processes.toSorted(byNumber);
  const numbers = order.map(Number);
  const within = numbers.every((pid) =>
    Number.isInteger(pid) && pid >= 0 && pid < (worldSize ?? 0)
  );
  if (files === 1 && given === undefined && within) {
    return new Map(order.map((process, i) => [process, numbers[i]]));
  }
  const base = given ?? (files === 1 ? 0 : heads[0]);
  if (base === undefined) {
    throw new SchemoeError(
      `Cannot import the trace ${file}: kernels of ${processes.length} processes are in it, and it ` +
        `names no rank; say with "ranks" the rank of each file, and with "processes" whether its ` +
        `processes are "ranks" or "devices" of one rank`,
    );
  }
  return new Map(order.map((process, i) => [process, base + i]));
}

const collator = new Intl.Collator("en", { numeric: true });
/** Numbers as such, also within names: `rank 2` before `rank 10`. */
const byNumber = (a: string, b: string): number => {
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference)
    ? collator.compare(a, b) || (a < b ? -1 : 1)
    : difference || (a < b ? -1 : 1);
};
