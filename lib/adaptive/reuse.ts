/** Whether a profile that was kept still holds. @module */
import packageFile from "../../deno.json" with { type: "json" };
import type { LayerConfig } from "../blocks/mod.ts";
import { createLayer, simulated } from "../layer/mod.ts";
import { loadProfile, type MachineProfile, median } from "../profile/mod.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";

const RUNS = 3;

/**
 * The profile in a file where it is of this machine, engine and version, knows the kinds of work of a layer, and
 * predicts a pass of it within `drift`; else undefined. A file that is no profile is an error.
 */
export async function reusable(
  engine: Engine,
  { path, layer, drift }: { path: string | URL; layer: LayerConfig; drift: number },
): Promise<MachineProfile | undefined> {
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  const profile = await loadProfile(path);
  if (!isOf(profile, engine)) return undefined;
  const error = await driftOf(engine, layer, profile);
  return error !== undefined && Math.abs(error) <= drift ? profile : undefined;
}

function isOf({ machine, versions, engine: measured }: MachineProfile, engine: Engine): boolean {
  const { kind, timing, topology: { nodes, ranksPerNode } } = engine;
  const { os, arch } = Deno.build;
  return machine.os === os && machine.architecture === arch &&
    machine.processors === navigator.hardwareConcurrency &&
    versions.package === packageFile.version && measured.kind === kind &&
    measured.timing === timing && measured.nodes === nodes &&
    measured.ranksPerNode === ranksPerNode;
}

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
