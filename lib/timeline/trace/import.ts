/**
 * Traces of other programs, and our own, as timelines.
 * @module
 */
import { aPath, checkFields, either, expect, listOf } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import type { Timeline } from "../table/columns.ts";
import { bytesOf } from "../../files/gzip.ts";
import { shown } from "./fields.ts";
import { type ForeignTrace, type KernelNames, readForeign } from "./foreign.ts";
import { mergeForeign } from "./merge.ts";
import { ownRow } from "./own.ts";
import { TRACE_VERSION } from "./export.ts";
import { readTraceText, type TraceText } from "./json.ts";
import { RowCollector } from "./rows.ts";
import { SliceReader } from "./slices.ts";
import { quoted } from "../../words.ts";

const READ_CHROME_TRACE_PATHS = either(aPath, listOf(aPath, "paths"));

/** Options of {@linkcode fromChromeTrace}. */
export interface TraceImportOptions {
  /** Name of the run; default what the trace says, else `trace`. */
  readonly name?: string;
  /** Rank of each file; default what its `distributedInfo` says, else its place among the files. */
  readonly ranks?: readonly number[];
  /** Ranks of a node; default: all are on one. Our own traces say it themselves. */
  readonly ranksPerNode?: number;
  /**
   * Whether the processes of a file are ranks, numbered from the file's rank, or devices of one rank;
   * default: ranks where several ran kernels and `ranks` says nothing of the file, else devices.
   */
  readonly processes?: "ranks" | "devices";
  /**
   * Kernels and copies that communicate, besides kernels known by name: parts of their names, or
   * patterns, such as `"Memcpy PtoP"`.
   */
  readonly communication?: KernelNames;
  /** Kernels that compute although their names say otherwise. */
  readonly computation?: KernelNames;
  /** Most bytes that a gzipped trace may become; default 50 times its size, at least 32 MiB. */
  readonly inflateLimit?: number;
}

const OPTIONS: Record<keyof TraceImportOptions, true> = {
  name: true,
  ranks: true,
  ranksPerNode: true,
  processes: true,
  communication: true,
  computation: true,
  inflateLimit: true,
};

/**
 * The timeline of one or more traces in the Trace Event Format: JSON text, its bytes, or these gzipped.
 *
 * What `chromeTrace` wrote comes back equal. From PyTorch's profiler (Kineto, of every age) come the
 * kernels and copies of GPUs, one file being one rank; where several processes of a file ran kernels, it
 * was merged and each is a rank. Kernels are on lane `compute` with kind `opaque`. Those that
 * communicate (NCCL, RCCL, MSCCL, NVSHMEM, DeepEP and its kind, collectives by name, and what
 * `communication` names) are on a lane for each stream, with kind `allToAll` or `allReduce` (all
 * collectives but those that move each rank's own data) and the bytes that their arguments say are
 * sent over links. Copies are on lane `copy`. Files are put on one time axis by `baseTimeNanoseconds`.
 *
 * Of any other trace come all slices, the n-th process as rank n, its threads as lanes. Events without
 * a duration last no time, slices that never ended last to the end; asynchronous events, counters and
 * instants are left out. Times begin at 0, and are as exact as doubles: a quarter of a microsecond
 * where `ts` counts from 1970. Numbers may be text; `NaN` and `Infinity` may stand where no row needs
 * the value.
 *
 * ```ts
 * import { fromChromeTrace, makespan } from "@schemoe/lab/timeline";
 * const kernel = { ph: "X", cat: "kernel", name: "gemm", pid: 0, tid: 7, ts: 5.5, dur: 2 };
 * const timeline = await fromChromeTrace(JSON.stringify({ traceEvents: [kernel] }));
 * console.assert(makespan(timeline) === 2000);
 * ```
 * @throws {SchemoeError} naming the file, and the event or byte where it is broken; two files of one rank.
 */
export async function fromChromeTrace(
  traces: string | Uint8Array | readonly (string | Uint8Array)[],
  options: TraceImportOptions = {},
): Promise<Timeline> {
  const list = typeof traces === "string" || traces instanceof Uint8Array ? [traces] : traces;
  if (!Array.isArray(list) || list.length === 0) {
    fail("give the text or bytes of one trace, or an array of them");
  }
  const named = (list as unknown[]).map((data, i) => ({
    file: list.length > 1 ? `${i}` : "",
    data,
  }));
  return await importTraces(named, options);
}

/**
 * Reads trace files; see {@linkcode fromChromeTrace}.
 * @throws {SchemoeError} also naming a file that cannot be read.
 */
export async function readChromeTrace(
  paths: string | URL | readonly (string | URL)[],
  options: TraceImportOptions = {},
): Promise<Timeline> {
  expect("readChromeTrace", "paths", paths, READ_CHROME_TRACE_PATHS);
  const list = Array.isArray(paths) ? paths as (string | URL)[] : [paths as string | URL];
  if (list.length === 0) fail("no files are given");
  const files = await Promise.all(list.map(async (path) => {
    try {
      return { file: `${path}`, data: await Deno.readFile(path) };
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cause;
      throw new SchemoeError(`Cannot import the trace ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }));
  return await importTraces(files, options);
}

async function importTraces(
  files: readonly { file: string; data: unknown }[],
  options: TraceImportOptions,
): Promise<Timeline> {
  check(options, files.length);
  const rows = new RowCollector();
  const foreign: ForeignTrace[] = [];
  let run = options.name;
  for (const { file, data } of files) {
    const called = file || "given";
    const cannot = `Cannot import the trace ${called}`;
    const text = readTraceText(await bytesOf(data, cannot, options.inflateLimit), called);
    const own = ownHead(text, called);
    if (own) {
      run ??= own.run;
      readOwn(text, called, rows);
    } else foreign.push(readForeign(text, called, options));
  }
  if (foreign.length > 0) mergeForeign(foreign, options, rows);
  return rows.timeline(run ?? "trace");
}

function readOwn(text: TraceText, file: string, rows: RowCollector): void {
  const reader = new SliceReader(file, (slice) => {
    if (slice.category !== "kernel") return;
    if (slice.problem !== undefined) reader.fail(slice.number, slice.problem);
    rows.add(ownRow(slice, file));
  });
  for (const events of text.events()) reader.read(events);
}

/** What this project wrote about a trace of its own. */
function ownHead({ head }: TraceText, file: string): { run: string } | undefined {
  const [text] = head.get("schemoe") ?? [];
  if (text === undefined) return undefined;
  const { version, run } = Object(parsed(text, file)) as Record<string, unknown>;
  if (typeof version !== "number" || typeof run !== "string") {
    fail(`${file}: its "schemoe" has no version and run; it was changed`);
  }
  if (version > TRACE_VERSION) {
    fail(
      `${file} is of version ${version}, this package reads up to ${TRACE_VERSION}; use a newer one`,
    );
  }
  return { run };
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fail(`${file}: its "schemoe" is not JSON`);
  }
}

function check(options: TraceImportOptions, files: number): void {
  checkFields(options, Object.keys(OPTIONS), { what: "options", fail });
  const { ranks, ranksPerNode, processes, inflateLimit } = options;
  if (ranks && ranks.length !== files) {
    fail(`${files} files need ${files} ranks, got ${ranks.length}`);
  }
  const odd = ranks?.find((rank) => !Number.isInteger(rank) || rank < 0);
  if (odd !== undefined) fail(`${odd} is not a rank`);
  if (ranksPerNode !== undefined && !(Number.isInteger(ranksPerNode) && ranksPerNode > 0)) {
    fail(`ranksPerNode is ${quoted(ranksPerNode)}, not a positive integer`);
  }
  if (processes !== undefined && processes !== "ranks" && processes !== "devices") {
    fail(`processes is ${shown(processes)}; choose one of ranks, devices`);
  }
  if (inflateLimit !== undefined && !(Number.isSafeInteger(inflateLimit) && inflateLimit > 0)) {
    fail(`inflateLimit is ${quoted(inflateLimit)}, not a positive number of bytes`);
  }
  for (const option of ["communication", "computation"] as const) {
    const names = options[option] ?? [];
    const usable = Array.isArray(names) &&
      names.every((name) => (typeof name === "string" && name !== "") || name instanceof RegExp);
    if (!usable) fail(`${option} is ${shown(names)}, not a list of texts and regular expressions`);
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot import the trace: ${problem}`);
}
