/** Layers, worlds and Programs that the tests of the simulator run. */
import {
  type AllToAll,
  BUILT_IN,
  capacitySlices,
  none,
  optSche,
  sequential,
  type Topology,
  topology,
} from "../../mod.ts";
import { buildProgram, type Program } from "../../lib/program/mod.ts";
import { backwardGraph, forwardGraph } from "../../lib/graph/mod.ts";
import { expertWaves } from "../../lib/chunking/mod.ts";
import { splitRows } from "../../lib/chunking/slot_loads.ts";
import { resolveLayer } from "../../lib/blocks/mod.ts";
import * as allToAlls from "../../lib/alltoall/mod.ts";
import { uniforms } from "../../lib/random.ts";

export const allToAll = (name: string) => (allToAlls as unknown as Record<string, AllToAll>)[name];

/** Every built-in all-to-all that works on a world. */
export function algorithmsFor(world: Topology): AllToAll[] {
  return BUILT_IN.allToAll.map(allToAll).filter((algorithm) => {
    try {
      return algorithm.plan({ rank: 0, topology: world }).length > 0;
    } catch {
      return false;
    }
  });
}

/** A world whose links and rates are drawn at random. */
export function randomWorld(
  seed: number,
  options: { nodes: number; ranksPerNode: number; speeds?: boolean },
) {
  const random = uniforms(seed);
  const link = (scale: number) => ({ alpha: random() * 1e-5, beta: (0.2 + random()) * scale });
  const { nodes, ranksPerNode, speeds } = options;
  return topology({
    nodes,
    ranksPerNode,
    intra: link(1e-9),
    inter: link(4e-9),
    local: { beta: random() * 1e-10 },
    processor: { alpha: random() * 1e-5, flopRate: 1e10 * (0.1 + random()), byteRate: 1e10 },
    speed: speeds ? Array.from({ length: nodes * ranksPerNode }, () => 0.5 + random()) : undefined,
  });
}

/** Both passes of a small layer under a scheduler. */
export function passes(
  world: Topology,
  algorithm: AllToAll,
  { chunks = 2, overlap = true, waves }: {
    chunks?: number;
    overlap?: boolean;
    /** Of experts, one in each, instead of chunks. */
    waves?: number;
  } = {},
): Program[] {
  const experts = world.ranks * (waves ?? 1);
  const layer = resolveLayer(
    { tokens: 16 * experts, modelDim: 16, hiddenDim: 32, experts },
    world,
  );
  const chunking = waves ? expertWaves(waves) : capacitySlices(chunks);
  const split = chunking.split({ capacity: 16, topology: world, localExperts: waves ?? 1 });
  const pass = {
    layer,
    ...splitRows(layer, { capacity: 16 }, split),
    chunks: split,
    allToAll: algorithm,
    configuration: {},
    compressor: { dispatch: none, combine: none },
  };
  const graphs = [
    forwardGraph({ ...pass, gate: true }),
    backwardGraph({ ...pass, forwardChunks: split }),
  ];
  const scheduler = overlap ? optSche : sequential;
  return graphs.map((graph) => {
    const costs = { source: "none", seconds: () => 0 };
    return buildProgram(graph, scheduler.order(graph, costs), scheduler.name);
  });
}
