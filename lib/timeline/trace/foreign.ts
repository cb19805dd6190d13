/**
 * Traces of other programs, PyTorch's profiler before all: which slices are rows, of which rank, when.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { collectiveOf, isNccl, messageBytes, NCCL, sentOverLinks } from "./kineto.ts";
import type { TraceText } from "./json.ts";
import type { RowCollector, TraceRow } from "./rows.ts";
import { type Slice, SliceReader, threadKey } from "./slices.ts";

/** The slices of one file that become rows; times in microseconds as in the file. */
export interface ForeignTrace {
  readonly file: string;
  readonly rank: number | undefined;
  /** Nanoseconds from 1970 at which its times begin. */
  readonly base: bigint;
  readonly rows: readonly ForeignRow[];
}

interface ForeignRow {
  readonly process: number | string;
  readonly begin: number;
  readonly duration: number;
  readonly what: Pick<TraceRow, "lane" | "kind" | "name" | "label" | "bytes">;
}

/** Categories of what ran on a GPU. */
const GPU: ReadonlySet<string> = new Set(["kernel", "gpu_memcpy", "gpu_memset"]);
const MOST_LABEL = 24;
/** Characters of a name that its label is made of. */
const MOST_NAME = 1000;

/** Reads one file: what ran on GPUs, or all slices when nothing did. */
export function readForeign(text: TraceText, file: string): ForeignTrace {
  let rows: ForeignRow[] = [];
  let gpu = false;
  const labels = new Map<string, string>();
  const labelOf = (name: string) => {
    const label = labels.get(name) ?? shortName(name);
    labels.set(name, label);
    return label;
  };
  const reader = new SliceReader(file, (slice) => {
    if (GPU.has(slice.category)) {
      if (!gpu) [gpu, rows] = [true, []];
      rows.push(placed(slice, gpuWork(slice, labelOf(slice.name))));
    } else if (!gpu) {
      const lane = reader.threads.get(threadKey(slice.process, slice.thread)) ??
        `thread ${slice.thread}`;
      const { name } = slice;
      rows.push(placed(slice, { lane, kind: "opaque", bytes: 0, name, label: labelOf(name) }));
    }
  });
  for (const events of text.events()) reader.read(events);
  reader.finish();
  if (rows.length === 0) {
    throw new SchemoeError(
      `Cannot import the trace ${file}: it has no slices (events "X", or pairs of "B" and "E")`,
    );
  }
  return { file, rows, ...headOf(text, file) };
}

/** Puts files on one time axis and adds their rows, by rank and then by time. */
export function mergeForeign(
  files: readonly ForeignTrace[],
  { ranks, ranksPerNode = Infinity }: { ranks?: readonly number[]; ranksPerNode?: number },
  into: RowCollector,
): void {
  const first = files.map(({ rows }) =>
    rows.reduce((least, { begin }) => Math.min(least, begin), Infinity)
  );
  const shifts = files.map(({ base }, i) =>
    (first[i] - first[0]) * 1000 + Number(base - files[0].base)
  );
  const earliest = shifts.reduce((a, b) => Math.min(a, b));
  const taken = new Map<number, string>();
  const placed = files.map((file, i) => {
    const own = ranksOf(file, ranks?.[i] ?? file.rank ?? (files.length > 1 ? i : undefined));
    for (const rank of new Set(own.values())) {
      const other = taken.get(rank);
      if (other !== undefined) {
        throw new SchemoeError(
          `Cannot import the traces: ${other} and ${file.file} are both of rank ${rank}; say which with "ranks"`,
        );
      }
      taken.set(rank, file.file);
    }
    return { file, own, shift: shifts[i] - earliest, zero: first[i] };
  });
  const least = (own: ReadonlyMap<unknown, number>) => Math.min(...own.values());
  for (const { file, own, shift, zero } of placed.toSorted((a, b) => least(a.own) - least(b.own))) {
    const order = file.rows.toSorted((a, b) =>
      own.get(a.process)! - own.get(b.process)! || a.begin - b.begin || b.duration - a.duration
    );
    for (const { process, begin, duration, what } of order) {
      const rank = own.get(process)!;
      const start_ns = picoseconds(shift + (begin - zero) * 1000);
      const { lane, kind, name, label, bytes } = what;
      // Named one by one: copying objects takes longer than all the rest.
      into.add({
        pass: "trace",
        rank,
        node: Math.floor(rank / ranksPerNode),
        lane,
        kind,
        chunk: null,
        name,
        label,
        ready_ns: start_ns,
        start_ns,
        end_ns: start_ns + picoseconds(duration * 1000),
        wait_ns: 0,
        bytes,
        flops: 0,
        deps: null,
      });
    }
  }
}

/** Multiplying microseconds leaves digits that were never there. */
const picoseconds = (ns: number): number => Math.round(ns * 1000) / 1000;

/** Rank of each process of a file: the file's, or one each. */
function ranksOf({ rows }: ForeignTrace, rank: number | undefined): Map<number | string, number> {
  const processes = [...new Set(rows.map(({ process }) => process))];
  const order = processes.toSorted((a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1
  );
  return new Map(order.map((process, i) => [process, rank ?? i]));
}

function headOf({ head }: TraceText, file: string): { rank: number | undefined; base: bigint } {
  const base = head.get("baseTimeNanoseconds")?.trim() ?? "0";
  let rank: unknown;
  try {
    rank = Object(JSON.parse(head.get("distributedInfo") ?? "{}")).rank;
  } catch {
    throw new SchemoeError(`Cannot import the trace ${file}: its "distributedInfo" is not JSON`);
  }
  return {
    rank: Number.isInteger(rank) && (rank as number) >= 0 ? rank as number : undefined,
    // As text, because a double has no room for nanoseconds since 1970.
    base: /^-?\d{1,20}$/.test(base) ? BigInt(base) : 0n,
  };
}

const placed = ({ process, begin, duration }: Slice, what: ForeignRow["what"]): ForeignRow => ({
  process,
  begin,
  duration,
  what,
});

/** What a GPU did. */
function gpuWork({ name, category, args, thread }: Slice, label: string): ForeignRow["what"] {
  const bytes = Number(args.bytes);
  if (category !== "kernel") {
    const kind = category === "gpu_memset" ? "memset" : "memcpy";
    return {
      ...{ name, label },
      lane: "copy",
      kind,
      bytes: bytes > 0 && bytes < Infinity ? bytes : 0,
    };
  }
  const given = args[NCCL.collective];
  if (typeof given !== "string" && !isNccl(name)) {
    return { name, label, lane: "compute", kind: "opaque", bytes: 0 };
  }
  const collective = collectiveOf(typeof given === "string" ? given : name);
  const group = Number(args[NCCL.groupSize]);
  return {
    ...{ name, label: collective.name, kind: collective.kind },
    lane: `nccl stream ${args.stream ?? thread}`,
    bytes: sentOverLinks(collective, messageBytes(args), group > 0 && group < Infinity ? group : 1),
  };
}

/** `void at::native::gemm<float>(int)` as `gemm`. */
function shortName(name: string): string {
  let plain = name.slice(0, MOST_NAME);
  for (let before = ""; before !== plain;) {
    [before, plain] = [plain, plain.replace(/<[^<>]*>|\([^()]*\)/g, "")];
  }
  const last = plain.split(/::|\s/).filter(Boolean).at(-1) ?? name;
  return last.length > MOST_LABEL ? `${last.slice(0, MOST_LABEL - 1)}…` : last;
}
