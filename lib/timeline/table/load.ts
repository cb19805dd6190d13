/**
 * Runs read from folders: they show themselves and are plotted without engine or native library.
 * @module
 */
import { aPath, aRun, aText, expect, record, something } from "../../arguments/mod.ts";
import { type Pass, SchemoeError, type Topology } from "../../types.ts";
import { column, rows, type Timeline } from "./columns.ts";
import { fromArrow } from "./export.ts";
import {
  contentSum,
  type Machine,
  pathOf,
  RUN_FILE,
  RUN_FORMAT,
  RUN_VERSION,
  type RunFile,
  sha256,
  type Versions,
} from "./save.ts";
import { ShownRun } from "../chart/shown_run.ts";
import { parseJson } from "../../files/json.ts";
import { checkTopology } from "../../topology.ts";

const RUN = record("the file of a saved run { name, pass, configuration }", {
  name: aText,
  pass: aText,
  configuration: something,
});

/** A run that was saved. As a cell's last value it shows its Gantt chart and its verdict. */
export class SavedRun extends ShownRun {
  /** What charts and tables call it. */
  readonly name: string;
  /** Forward, backward, or a whole training step. */
  readonly pass: Pass;
  /** Choices, sizes and engine. */
  readonly configuration: RunFile["configuration"];
  /** Seconds below which no schedule of its graph can come; undefined where it was not asked for. */
  readonly bound: number | undefined;
  /** What makes the bound. */
  readonly boundLimit: string | undefined;
  /** Seconds up to which a bound of measured times could be. */
  readonly boundMost?: number;
  /** Makespans in seconds where the pass ran several times. */
  readonly repeats?: readonly number[];
  /** World in which it ran. */
  readonly topology?: Topology;
  /** Of what it ran with. */
  readonly versions: Versions;
  /** On which it ran. */
  readonly machine: Machine;
  /** When it was saved. */
  readonly saved: Date;

  /** Made by {@linkcode loadRun}. */
  constructor(file: RunFile, readonly timeline: Timeline) {
    super();
    expect("new SavedRun", "file", file, RUN);
    expect("new SavedRun", "timeline", timeline, aRun);
    this.name = file.name;
    this.pass = file.pass;
    this.configuration = file.configuration;
    this.bound = file.bound?.seconds;
    this.boundLimit = file.bound?.limit;
    this.boundMost = file.bound?.most;
    this.repeats = file.repeats;
    this.topology = file.topology;
    this.versions = file.versions;
    this.machine = file.machine;
    this.saved = new Date(file.saved);
  }
}

/**
 * The run that `saveRun` wrote to a folder.
 *
 * @throws {SchemoeError} naming the file that is missing, cut off, changed (with the field, or column
 * and row, and its value), foreign or of a newer version of this package.
 */
export async function loadRun(folder: string | URL): Promise<SavedRun> {
  expect("loadRun", "folder", folder, aPath);
  const path = pathOf(folder);
  const fail = (problem: string, cause?: unknown): never => {
    throw new SchemoeError(`Cannot load the run ${path}: ${problem}`, { cause });
  };
  const read = async (name: string, advice: string): Promise<Uint8Array> => {
    try {
      return await Deno.readFile(`${path}/${name}`);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cause;
      if (cause instanceof Deno.errors.NotFound) {
        return fail(`there is no ${name}; ${advice}`, cause);
      }
      return fail(`${name} cannot be read: ${(cause as Error).message}`, cause);
    }
  };
  const text = new TextDecoder().decode(await read(RUN_FILE, "name the folder that saveRun wrote"));
  const file = runFile(text, fail);
  const { file: name, rows: count, bytes } = file.timeline;
  const arrow = await read(name, "it was removed");
  if (arrow.byteLength !== bytes) {
    fail(`${name} has ${arrow.byteLength} bytes instead of ${bytes}: it is cut off or was changed`);
  }
  let timeline: Timeline;
  try {
    timeline = fromArrow(arrow);
  } catch (cause) {
    return fail(`${name} was changed: ${(cause as Error).message}`, cause);
  }
  if (rows(timeline).length !== count) {
    fail(`${name} has ${rows(timeline).length} rows instead of ${count}: it was changed`);
  }
  const changed = rankProblem(timeline, file);
  if (changed) fail(`${name} was changed: ${changed}`);
  if (file.timeline.sha256 !== undefined && await sha256(arrow) !== file.timeline.sha256) {
    fail(`${name} was changed: its SHA-256 is not the one in ${RUN_FILE}`);
  }
  if (file.sha256 !== undefined && await contentSum(file) !== file.sha256) {
    fail(`${RUN_FILE} was changed: its SHA-256 is not the one in it`);
  }
  return new SavedRun(file, timeline);
}

/** The error in the ranks of a timeline, in the topology of the file. */
function rankProblem(timeline: Timeline, { topology }: RunFile): string | undefined {
  if (!topology) return undefined;
  const rank = column<number>(timeline, "rank");
  for (const row of rows(timeline)) {
    if (rank.at(row) >= topology.ranks) {
      return `column "rank" holds ${
        rank.at(row)
      } in row ${row}, the topology has ${topology.ranks} ranks`;
    }
  }
}

/** The contents of `run.json`, checked as far as they are used. */
function runFile(text: string, fail: (problem: string, cause?: unknown) => never): RunFile {
  let value: Partial<Record<keyof RunFile, unknown>>;
  try {
    value = Object(parseJson(text));
  } catch (cause) {
    return fail(`${RUN_FILE} is not JSON: it is cut off or was changed`, cause);
  }
  if (value.format !== RUN_FORMAT) {
    fail(
      `${RUN_FILE} is of another program: its format is ${
        JSON.stringify(value.format)
      }, not "${RUN_FORMAT}"`,
    );
  }
  const { version } = value;
  if (!isCount(version)) {
    fail(`${RUN_FILE} has the version ${JSON.stringify(version)}, not an integer`);
  }
  if (version as number > RUN_VERSION) {
    fail(`it has version ${version}, this package reads up to ${RUN_VERSION}; use a newer package`);
  }
  const usable: Record<string, (value: unknown) => boolean> = {
    name: isText,
    pass: isText,
    configuration: (v) => isObject(v) && Object.values(v).every(isPlain),
    versions: (v) => isObject(v) && Object.values(v).every(isText),
    machine: isObject,
    saved: (v) => isText(v) && !Number.isNaN(Date.parse(v)),
    bound: (v) =>
      v === undefined || (isObject(v) && isTime(v.seconds) && isTextOrNone(v.limit) &&
        (v.most === undefined || isTime(v.most))),
    repeats: (v) => v === undefined || (Array.isArray(v) && v.length > 0 && v.every(isTime)),
    topology: (v) => v === undefined || isObject(v),
    timeline: (v) =>
      isObject(v) && isCount(v.rows) && isCount(v.bytes) && isTextOrNone(v.sha256) &&
      isText(v.file) && !/[/\\]|^\.*$/.test(v.file),
    sha256: isTextOrNone,
  };
  for (const [name, fits] of Object.entries(usable)) {
    const found = value[name as keyof RunFile];
    if (fits(found)) continue;
    const shown = JSON.stringify(found) ?? "nothing";
    fail(`${RUN_FILE} has ${shown.slice(0, 200)} as "${name}": it was changed`);
  }
  const { topology } = value as RunFile;
  if (topology !== undefined) {
    try {
      checkTopology(topology);
    } catch (cause) {
      fail(`${RUN_FILE} was changed: ${(cause as Error).message}`, cause);
    }
  }
  return value as RunFile;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === "string";
const isTextOrNone = (value: unknown) => value === undefined || isText(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown) => Number.isFinite(value) && (value as number) > 0;
const isPlain = (value: unknown) =>
  isText(value) || typeof value === "boolean" || Number.isFinite(value);
