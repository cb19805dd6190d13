/**
 * Runs kept in folders.
 * @module
 */
import { aPath, expect } from "../../arguments/mod.ts";
import { isPartial, replaceFiles, writeAll } from "../../files/replace_file.ts";
import packageFile from "../../../deno.json" with { type: "json" };
import { type Pass, SchemoeError, type Topology } from "../../types.ts";
import { column, oneRun, rows, type Timeline } from "./columns.ts";
import { type Subject, timed, worldOf } from "./subject.ts";
import { toArrow } from "./export.ts";
import { ganttSvg } from "../chart/gantt.ts";
import { verdict } from "../measures/verdict.ts";

/** Versions of what ran. */
export interface Versions {
  /** Of this package. */
  readonly package: string;
  /** Of Deno. */
  readonly deno: string;
  /** Of its JavaScript engine. */
  readonly v8: string;
  /** Of its TypeScript. */
  readonly typescript: string;
}

/** Where a run was saved. */
export interface Machine {
  /** Such as `linux`. */
  readonly os: string;
  /** Such as `x86_64`. */
  readonly architecture: string;
  /** Processors that threads can use; undefined where that may not be asked. */
  readonly processors?: number;
}

/** `run.json` of a saved run. */
export interface RunFile {
  /** Tells such a file from other JSON. */
  readonly format: "schemoe run";
  /** Of the format; newer ones than this package knows are refused. */
  readonly version: number;
  /** What charts and tables call the run. */
  readonly name: string;
  /** Forward, backward, or a whole training step. */
  readonly pass: Pass;
  /** Choices, sizes and engine. */
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
  /** The verdict in words, for people who read the file. */
  readonly verdict: string;
  /** Lower bound of the makespan, what makes it, and up to where it could be by its spread. */
  readonly bound?: { readonly seconds: number; readonly limit?: string; readonly most?: number };
  /** Makespans in seconds of all runs where there were several. */
  readonly repeats?: readonly number[];
  /** World in which it ran. */
  readonly topology?: Topology;
  /** Of what it ran with. */
  readonly versions: Versions;
  /** On which it ran. */
  readonly machine: Machine;
  /** When it was saved, ISO 8601. */
  readonly saved: string;
  /** The file beside it that holds the table. */
  readonly timeline: {
    readonly file: string;
    readonly rows: number;
    readonly bytes: number;
    /** Absent from runs that were saved before there was one. */
    readonly sha256?: string;
  };
  /** Pictures beside it. */
  readonly figures: readonly string[];
  /** Of all the rest but the timeline's; absent from runs that were saved before there was one. */
  readonly sha256?: string;
}

export const RUN_FORMAT: RunFile["format"] = "schemoe run";
/** Version of the folder's layout that is written, and the newest that is read. */
export const RUN_VERSION = 1;
/** The last file to be written: a folder without it is not a saved run. */
export const RUN_FILE = "run.json";
const TIMELINE_FILE = "timeline.arrow";
const FIGURE_FILE = "gantt.svg";
const FILES: readonly string[] = [RUN_FILE, TIMELINE_FILE, FIGURE_FILE];

/**
 * Saves a run, or a timeline alone, as a folder: `run.json` (configuration, topology, machine, versions, verdict and bound),
 * `timeline.arrow` and `gantt.svg`. The folder is made; one that holds a saved run is replaced
 * once all is written: a full disk leaves the run before.
 *
 * ```ts
 * import { createLayer, loadRun, openEngine, saveRun } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * const folder = await Deno.makeTempDir();
 * await saveRun(run, `${folder}/run`);
 * const loaded = await loadRun(`${folder}/run`);
 * console.assert(loaded.timeline.numRows() === run.timeline.numRows());
 * await Deno.remove(folder, { recursive: true });
 * ```
 * @throws {SchemoeError} when the folder holds anything else, or cannot be written.
 */
export async function saveRun(run: Subject, folder: string | URL): Promise<void> {
  const given = timed(run, "save the run");
  expect("saveRun", "folder", folder, aPath);
  const path = pathOf(folder);
  const { timeline, bound, boundLimit, boundMost, repeats, configuration = {} } = given;
  const name = given.name ?? oneRun(timeline);
  const pass = (given.pass ?? firstPass(timeline)) as Pass;
  const arrow = toArrow(timeline);
  const file: RunFile = {
    format: RUN_FORMAT,
    version: RUN_VERSION,
    name,
    pass,
    configuration,
    verdict: verdict(given),
    ...(bound === undefined
      ? {}
      : { bound: { seconds: bound, limit: boundLimit, most: boundMost } }),
    ...(repeats ? { repeats } : {}),
    topology: worldOf(given),
    versions: { package: packageFile.version, ...Deno.version },
    machine: machine(),
    saved: new Date().toISOString(),
    timeline: {
      file: TIMELINE_FILE,
      rows: rows(timeline).length,
      bytes: arrow.byteLength,
      sha256: await sha256(arrow),
    },
    figures: [FIGURE_FILE],
  };
  const figure = await ganttSvg(run);
  try {
    await Deno.mkdir(path, { recursive: true });
    const foreign = (await Array.fromAsync(Deno.readDir(path))).find(({ name }) =>
      !FILES.some((file) => name === file || isPartial(name, file))
    );
    if (foreign) {
      throw new SchemoeError(
        `Cannot save the run to ${path}: the folder holds ${foreign.name}; give it a folder of its own`,
      );
    }
    const summed = { ...file, sha256: await contentSum(file) };
    const encode = (text: string) => new TextEncoder().encode(text);
    const files = [
      [TIMELINE_FILE, arrow],
      [FIGURE_FILE, encode(figure)],
      [RUN_FILE, encode(`${JSON.stringify(summed, null, 2)}\n`)],
    ] as const;
    await replaceFiles(
      files.map(([name, bytes]) => [`${path}/${name}`, (file) => writeAll(file, bytes)]),
      () => Deno.remove(`${path}/${RUN_FILE}`).catch(ignoreMissing),
    );
  } catch (cause) {
    if (cause instanceof SchemoeError || cause instanceof Deno.errors.NotCapable) throw cause;
    throw new SchemoeError(`Cannot save the run to ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** SHA-256 of what `run.json` says, in whatever layout, without its check sums. */
export function contentSum({ sha256: _, timeline, ...rest }: RunFile): Promise<string> {
  const text = JSON.stringify({ ...rest, timeline: { ...timeline, sha256: undefined } });
  return sha256(new TextEncoder().encode(text));
}

/** SHA-256 of bytes in hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const sum = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return new Uint8Array(sum).toHex();
}

/** A folder as a path without a slash at its end. @throws {SchemoeError} for anything else. */
export function pathOf(folder: string | URL): string {
  if (folder instanceof URL && folder.protocol === "file:") {
    return decodeURIComponent(folder.pathname).replace(/\/+$/, "");
  }
  if (typeof folder === "string" && folder !== "") return folder.replace(/(?<=.)\/+$/, "");
  throw new SchemoeError(`Cannot use ${folder} as a folder: give a path or a file URL`);
}

function firstPass(timeline: Timeline): string {
  const [row] = rows(timeline);
  return row === undefined ? "forward" : column<string>(timeline, "pass").at(row);
}

function machine(): Machine {
  const { os, arch } = Deno.build;
  return { os, architecture: arch, processors: navigator.hardwareConcurrency };
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
