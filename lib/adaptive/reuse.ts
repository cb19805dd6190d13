/** Whether a profile that was kept still holds. @module */
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

const RUNS = 3;
const PROBES = 9;

/**
 * The profile in a file where it is of this machine, engine and version, knows the kinds of work of a layer and of the
 * codecs, and predicts a pass of it within `drift`; else undefined. Where only the machine computes at another speed than
 * then, as its probe tells, it is the profile at that speed. A file that is no profile, or a damaged one, is an
 * error, and so is a place where none can be written.
 */
export async function reusable(
  engine: Engine,
  { path, layer, codecs, drift }: {
    path: string | URL;
    layer: LayerConfig;
    codecs: readonly (Compressor | string)[];
    drift: number;
  },
): Promise<MachineProfile | undefined> {
  if (!await replaceable(path)) return undefined;
  if (await isOutdated(path)) return undefined;
  const profile = await loadProfile(path);
  if (!isOf(profile, engine)) return undefined;
  if (!await knows(engine, { profile, layer, codecs })) return undefined;
  const holds = async (one: MachineProfile) => {
    const error = await driftOf(engine, layer, one);
    return error !== undefined && Math.abs(error) <= drift;
  };
  if (await holds(profile)) return profile;
  const speed = await speedOf(engine, profile);
  const slowed = speed === undefined ? undefined : atSpeed(profile, speed);
  return slowed && await holds(slowed) ? slowed : undefined;
}

/** The speed of the machine now, relative to when a profile was made; undefined without its probe. */
async function speedOf(engine: Engine, { probe }: MachineProfile): Promise<number | undefined> {
  if (!probe || engine.modelled) return undefined;
  using now = new SpeedProbe(engine);
  const times: number[] = [];
  for (let i = 0; i < PROBES; i++) times.push(await now.seconds());
  return probe.seconds / median(times);
}

/** Whether a file is a profile as another version of this package writes it. */
async function isOutdated(path: string | URL): Promise<boolean> {
  const text = await Deno.readTextFile(path).catch(() => "");
  try {
    const { format, version } = parseJson(text) ?? {};
    return format === PROFILE_FORMAT && version !== PROFILE_VERSION;
  } catch {
    return false; // reading it says what is wrong
  }
}

/** Whether a profile can predict both passes of a layer under each codec. */
async function knows(
  engine: Engine,
  { profile, layer, codecs }: {
    profile: MachineProfile;
    layer: LayerConfig;
    codecs: readonly (Compressor | string)[];
  },
): Promise<boolean> {
  using made = createLayer(engine, layer);
  const predicted = simulated(made, profile);
  try {
    for (const compressor of ["none", ...codecs]) {
      const choices = { compressor, results: false, bound: false };
      await predicted.forward(choices);
      const { inputGrad, weightGrad } = made.layer.expert;
      if (inputGrad && weightGrad) await predicted.backward(choices);
    }
    return true;
  } catch (error) {
    if (error instanceof SchemoeError) return false;
    throw error;
  }
}

const isOf = (profile: MachineProfile, engine: Engine): boolean =>
  profile.versions.package === packageFile.version && foreignTo(profile, engine) === undefined;

/**
 * Predicted over measured time of a forward pass, less 1; undefined where the profile lacks a kind of work.
 * Measured is the median of a few runs after one that warms up.
 */
export async function driftOf(
  engine: Engine,
  config: LayerConfig,
  profile: MachineProfile,
): Promise<number | undefined> {
  using layer = createLayer(engine, config);
  const choices = { scheduler: "optSche", chunks: 2, results: false, bound: false };
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
