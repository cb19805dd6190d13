/** Whether a profile that was kept still holds. @module */
import {
  aLayerConfig,
  anEngine,
  aProfile,
  aSignal,
  expect,
  maybe,
  options,
} from "../arguments/mod.ts";
import packageFile from "../../deno.json" with { type: "json" };
import type { LayerConfig } from "../blocks/mod.ts";
import { createLayer, simulated } from "../layer/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import { parseJson } from "../files/json.ts";
import { replaceable } from "../files/replace_file.ts";
import { PROFILE_FORMAT, PROFILE_VERSION } from "../profile/file.ts";
import { loadProfile, type MachineProfile, median } from "../profile/mod.ts";
import { foreignTo } from "../profile/origin.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { atSpeed, SpeedProbe } from "./speed.ts";

const DRIFT_OF_OPTIONS = options({ signal: maybe(aSignal) });

const RUNS = 3;
const PROBES = 9;

/** What is kept in a file: a profile that holds, or why it does not; neither where there is no file. */
export interface Kept {
  readonly profile?: MachineProfile;
  readonly because?: string;
}

/**
 * The profile in a file where it is of this machine, engine and version, knows the kinds of work of a layer and of the
 * codecs, and predicts a pass of it within `drift`. Where only the machine computes at another speed than then, as its
 * probe tells, it is the profile at that speed.
 * @throws {SchemoeError} for a file that is no profile, or a damaged one, and where none can be written.
 */
export async function keptProfile(
  engine: Engine,
  { path, layer, codecs, drift, signal }: {
    path: string | URL;
    layer: LayerConfig;
    codecs: readonly (Compressor | string)[];
    drift: number;
    signal?: AbortSignal;
  },
): Promise<Kept> {
  if (!await replaceable(path)) return {};
  const version = await otherVersion(path);
  if (version !== undefined) {
    return { because: `it has version ${version} of the format, this one is ${PROFILE_VERSION}` };
  }
  const profile = await undamaged(path);
  const { package: made } = profile.versions;
  if (made !== packageFile.version) {
    return {
      because: `it was made by version ${made} of the package, this is ${packageFile.version}`,
    };
  }
  const because = foreignTo(profile, engine) ??
    await unknownTo(profile, engine, { layer, codecs });
  if (because !== undefined) return { because };
  const errorOf = async (one: MachineProfile) =>
    await driftOf(engine, layer, one, { signal }) ?? Infinity;
  const error = await errorOf(profile);
  if (Math.abs(error) <= drift) return { profile };
  const text = `it predicts a pass ${off(error)}, more than ${part(drift)}`;
  const speed = await speedOf(engine, profile, signal);
  if (speed === undefined) return { because: text };
  const slowed = atSpeed(profile, speed);
  const later = await errorOf(slowed);
  if (Math.abs(later) <= drift) return { profile: slowed };
  return {
    because: `${text}, and ${off(later)} if the machine computes at ${speed.toFixed(2)} of its ` +
      "speed of then, as the probe tells",
  };
}

const part = (value: number): string => `${(100 * value).toFixed(0)} %`;
const off = (error: number): string =>
  `${part(Math.abs(error))} too ${error < 0 ? "short" : "long"}`;

/** @throws {SchemoeError} saying what to do about a file that cannot be read. */
async function undamaged(path: string | URL): Promise<MachineProfile> {
  try {
    return await loadProfile(path);
  } catch (cause) {
    if (!(cause instanceof SchemoeError)) throw cause;
    throw new SchemoeError(
      `${cause.message}; give calibrate another path, or remove the file so that a new one is measured`,
      { cause },
    );
  }
}

/** The speed of the machine now, relative to when a profile was made; undefined without its probe. */
async function speedOf(
  engine: Engine,
  { probe }: MachineProfile,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (!probe || engine.modelled) return undefined;
  using now = new SpeedProbe(engine);
  const times: number[] = [];
  for (let i = 0; i < PROBES; i++) times.push(await now.seconds(signal));
  return probe.seconds / median(times);
}

/** The version of a profile that another version of this package has written. */
async function otherVersion(path: string | URL): Promise<unknown> {
  const text = await Deno.readTextFile(path).catch(() => "");
  try {
    const { format, version } = parseJson(text) ?? {};
    return format === PROFILE_FORMAT && version !== PROFILE_VERSION ? version : undefined;
  } catch {
    return undefined; // reading it says what is wrong
  }
}

/** Why a profile cannot predict both passes of a layer under each codec. */
async function unknownTo(
  profile: MachineProfile,
  engine: Engine,
  { layer, codecs }: { layer: LayerConfig; codecs: readonly (Compressor | string)[] },
): Promise<string | undefined> {
  using made = createLayer(engine, layer);
  const predicted = simulated(made, profile);
  try {
    for (const compressor of ["none", ...codecs]) {
      const choices = { compressor, results: false, bound: false };
      await predicted.forward(choices);
      const { inputGrad, weightGrad } = made.layer.expert;
      if (inputGrad && weightGrad) await predicted.backward(choices);
    }
  } catch (error) {
    if (error instanceof SchemoeError) return error.message;
    throw error;
  }
}

/**
 * Predicted over measured time of a forward pass, less 1; undefined where the profile lacks a kind of work.
 * Measured is the median of a few runs after one that warms up.
 */
export async function driftOf(
  engine: Engine,
  config: LayerConfig,
  profile: MachineProfile,
  options: { readonly signal?: AbortSignal } = {},
): Promise<number | undefined> {
  expect("driftOf", "engine", engine, anEngine);
  expect("driftOf", "config", config, aLayerConfig);
  expect("driftOf", "profile", profile, aProfile);
  expect("driftOf", "options", options, DRIFT_OF_OPTIONS);
  const { signal } = options;
  using layer = createLayer(engine, config);
  const choices = { scheduler: "optSche", chunks: 2, results: false, bound: false, signal };
  await layer.forward(choices);
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) times.push((await layer.forward(choices)).makespan);
  try {
    const predicted = await simulated(layer, profile).forward(choices);
    return predicted.makespan / median(times) - 1;
  } catch (error) {
    if (error instanceof SchemoeError) return undefined;
    throw error;
  }
}
