/** FasterMoE's choice. @module */
import { aLayer, either, expect, record, someLoads } from "../../arguments/mod.ts";
import { elementBytes, type Layer } from "../../blocks/mod.ts";
import { fasterMoeShadows, type Placement } from "../../placements/mod.ts";
import { type Loads, SchemoeError } from "../../types.ts";
import type { Baseline } from "./types.ts";

const FASTER_MOE_CHOICE_LAYER = either(
  aLayer,
  record("a layer, such as createLayer(engine, sizes)", { layer: aLayer }),
);

/** Ranks of a group of peers. */
const GROUP = 4;

/** What FasterMoE would do with a layer under some loads. */
export interface FasterMoeChoice extends Baseline {
  /** Experts on all ranks, for the `placement` of a layer. */
  readonly placement: Placement;
}

/**
 * What FasterMoE would do (He et al., PPoPP'22): shadows of popular experts by its model of a step, from the rates of the
 * layer's world, and the pass split by groups of 4 peers in its order. Nothing is tried.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { fasterMoeChoice } from "@schemoe/lab/adaptive";
 * import { loadsOf, zipfRouting } from "@schemoe/lab/routing";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
 * const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, routing: { dropless: true } };
 * const layer = createLayer(engine, config);
 * const loads = loadsOf(zipfRouting({ ranks: 8, tokens: 64, experts: 8, exponent: 1.2 }));
 * const { placement, forward } = fasterMoeChoice(layer, loads);
 * const run = await createLayer(engine, { ...config, placement }).forward({ ...forward, loads });
 * console.assert(run.makespan > 0);
 * ```
 * @throws {SchemoeError} for expert groups smaller than the world, which its model does not know.
 */
export function fasterMoeChoice(
  layer: Layer | { readonly layer: Layer },
  loads: Loads,
): FasterMoeChoice {
  expect("fasterMoeChoice", "layer", layer, FASTER_MOE_CHOICE_LAYER);
  expect("fasterMoeChoice", "loads", loads, someLoads);
  const resolved = "layer" in layer ? layer.layer : layer;
  const { groups, topology, expert, rowDim: modelDim, hiddenDim } = resolved;
  if (groups.count > 1) {
    throw new SchemoeError(
      `Cannot choose as FasterMoE does: the world has ${groups.count} expert groups, and it knows one`,
    );
  }
  const shape = { modelDim, hiddenDim };
  const { nodes, processor, links } = topology;
  const { beta } = nodes > 1 ? links.inter : links.intra;
  const size = elementBytes(resolved);
  const values = expert.parameters(shape)
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const placement = fasterMoeShadows(loads, {
    token: expert.flops(shape).forward / processor.flopRate,
    send: beta * size * modelDim,
    weights: beta * size * values,
  });
  const chunks = Math.ceil(topology.ranks / GROUP);
  const choices = { scheduler: "fasterMoE", allToAll: "linear", chunks };
  return { name: "FasterMoE", forward: choices, backward: choices, trials: [], placement };
}
