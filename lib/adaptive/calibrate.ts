/** Measures how long an engine takes for each kind of work. @module */
import { anEngine, checkFields, expect } from "../arguments/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import { resolveTokens } from "../blocks/rank_tokens.ts";
import { type MachineProfile, saveProfile } from "../profile/mod.ts";
import { shownProfile } from "../profile/shown.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { checkGrid } from "../layer/auto/check_grid.ts";
import { checkSignal } from "../layer/check_signal.ts";
import { quoted } from "../words.ts";
import { keptProfile } from "./reuse.ts";
import { defaultLayer } from "./sweeps.ts";
import { Calibration } from "./calibration.ts";

/** What is measured, and for how long. */
export interface CalibrateOptions {
  /** Around its sizes, with its gate, experts and types, layers are measured; default one of a few milliseconds. */
  readonly layer?: Omit<LayerConfig, "tokens"> & { readonly tokens: number | readonly number[] };
  /** Codecs that are measured; default `fp16`, `int8` and `zfp`. */
  readonly codecs?: readonly (Compressor | string)[];
  /** Seconds after which nothing new is begun; default 90. */
  readonly seconds?: number;
  /**
   * File of an earlier profile, which is reused where machine, versions, engine, kinds and codecs are the same and its
   * predictions have not drifted; else the new one is written there, and says in `replaces` why, as the last line of
   * progress does. Where it would hold but for the machine's speed, which
   * the profile's probe tells, it is given at the speed of now (`atSpeed`), with `speed` saying so.
   */
  readonly path?: string | URL;
  /** Relative error of the prediction of a pass from which on a profile is made anew; default 0.1. */
  readonly drift?: number;
  /** Ends measuring with an error when it is aborted. */
  readonly signal?: AbortSignal;
}

const OPTIONS = ["layer", "codecs", "seconds", "path", "drift", "signal"];
const SIZES = ["modelDim", "hiddenDim"] as const;
const SECONDS = 90;
const DRIFT = 0.1;
/**
 * Measures an engine: layers of several sizes, codecs and all-to-alls, task by task, and what slows down what.
 *
 * Where lanes are more than processors, as the threads of a CPU engine mostly are, or ranks share one GPU, tasks wait for
 * each other. Crowds tell how: lanes that multiply at the same time, one, one of each rank, and all. By the products
 * that they get done in a time, so many lanes run at full speed. Lanes whose long products begin one after another are
 * threads that take turns, with a slice of time between; those whose long products end one after another are kernels
 * in a queue; else, and where there is a processor for each lane, they share evenly. All-to-alls beside a crowd of
 * threads that it hardly holds up go before computation, those beside a queue that it holds up wait in it. The simulator
 * then lets lanes take turns (`Turns` of a topology's `sharing`). What transfers of threads need of a processor, and how
 * much is shared evenly, are the numbers for which it predicts what whole Programs took; where lanes share evenly, ranks
 * may be of unlike speed, and all wait for the slowest (`ranks` of the profile's processors). What kernels in a queue need of
 * one is measured where several ranks run, and what transfers take from them by how much later a crowd's products end
 * beside all-to-alls.
 *
 * The profile predicts any layer of such kernels on that engine: `simulated(layer, profile)`.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { simulated } from "@schemoe/lab/layer";
 * import { calibrate } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 };
 * const profile = await calibrate(engine, { layer: config, codecs: [], seconds: 2 });
 * using layer = createLayer(engine, config);
 * const predicted = await simulated(layer, profile).forward({ scheduler: "optSche", chunks: 2 });
 * console.assert(predicted.makespan > 0);
 * ```
 * @returns pure data; `JSON.stringify` keeps it.
 * @throws {SchemoeError} naming an unknown option or codec, a file that is damaged or cannot be written, when nothing
 * could be measured in the time, and when the signal is aborted.
 */
export async function calibrate(
  engine: Engine,
  options: CalibrateOptions = {},
): Promise<MachineProfile> {
  expect("calibrate", "engine", engine, anEngine);
  checkFields(options, OPTIONS, { what: "options", fail });
  const { layer = defaultLayer(engine), codecs = ["fp16", "int8", "zfp"], path } = options;
  const { seconds = SECONDS, drift = DRIFT, signal } = options;
  checkSignal(signal, fail);
  if (!(typeof seconds === "number" && seconds > 0)) {
    fail(`seconds is ${quoted(seconds)}, not above 0`);
  }
  if (typeof layer !== "object" || layer === null) fail(`layer is ${quoted(layer)}, not its sizes`);
  const around = { ...layer, tokens: resolveTokens(layer.tokens, engine.topology.ranks).tokens };
  for (const size of SIZES) {
    const value: unknown = around[size];
    if (Number.isSafeInteger(value) && Number(value) > 0) continue;
    fail(`layer.${size} is ${quoted(layer[size])}, not an integer above 0`);
  }
  checkGrid(codecs.length === 0 ? {} : { compressors: codecs }, fail, { compressors: "codecs" });
  if (!(typeof drift === "number" && drift >= 0)) {
    fail(`drift is ${quoted(drift)}, not a number of at least 0`);
  }
  if (path !== undefined && !(path instanceof URL || typeof path === "string" && path !== "")) {
    fail(`path is ${quoted(path)}, not the name of a file`);
  }
  const begin = performance.now();
  try {
    const { profile: known, because } = path === undefined
      ? {}
      : await keptProfile(engine, { path, layer: around, codecs, drift, signal });
    if (known) return known;
    const made = await new Calibration(engine, { seconds, signal, because }).run(around, codecs);
    const profile = shownProfile(because === undefined ? made : { ...made, replaces: because });
    if (path !== undefined) await saveProfile(profile, path);
    return profile;
  } catch (error) {
    if (!signal?.aborted) throw error;
    const past = ((performance.now() - begin) / 1e3).toFixed(1);
    throw new SchemoeError(
      `Cannot calibrate: it was aborted after ${past} s, and nothing is kept of what was measured`,
      { cause: signal.reason },
    );
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot calibrate: ${problem}`);
}
