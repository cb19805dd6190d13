/** A layer's configuration, checked for a topology and filled in, and back. @module */
import { aTopology, checkFields, expect } from "../arguments/mod.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { quoted } from "../words.ts";
import { capacity } from "./capacity.ts";
import { resolveParallel } from "./expert_groups.ts";
import { ffn } from "./experts/mod.ts";
import type { Layer, LayerConfig, UnevenLayerConfig } from "./layer_config.ts";
import { movedOptions } from "./moved_options.ts";
import { resolvePlacement } from "./placed.ts";
import { resolveTokens } from "./rank_tokens.ts";
import { resolveExpert } from "./resolve_expert.ts";
import { resolveGate } from "./resolve_gate.ts";
import { resolveLosses } from "./resolve_losses.ts";
import { resolveShared } from "./shared_expert.ts";
import { resolveRouting } from "./routing.ts";

const KNOWN = [
  "tokens",
  "modelDim",
  "hiddenDim",
  "experts",
  "parallel",
  "placement",
  "gate",
  "routing",
  "losses",
  "expert",
  "shared",
  "dtype",
  "latentDim",
];

/**
 * Checks a layer for a topology and fills in defaults.
 * @throws {SchemoeError} naming the first field that is wrong.
 */
export function resolveLayer(config: LayerConfig | UnevenLayerConfig, topology: Topology): Layer {
  expect("resolveLayer", "topology", topology, aTopology);
  if (typeof config !== "object" || config === null) {
    fail(`give an object with ${KNOWN.slice(0, 4).join(", ")}, got ${quoted(config)}`);
  }
  const moved = movedOptions(config);
  if (moved) fail(moved);
  checkFields(config, KNOWN, { what: "the layer", of: "a field of a layer", fail });
  const { modelDim, hiddenDim, experts } = config;
  const counts = resolveTokens(config.tokens, topology.ranks);
  for (const [name, value] of Object.entries({ modelDim, hiddenDim, experts })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
  const { dtype = "float32", latentDim } = config;
  if (latentDim !== undefined && !(Number.isInteger(latentDim) && latentDim >= 1)) {
    fail(`latentDim must be a positive integer, got ${quoted(latentDim)}`);
  }
  const rowDim = latentDim ?? modelDim;
  if (!["float32", "bfloat16"].includes(dtype)) {
    fail(`dtype must be float32 or bfloat16, got ${quoted(dtype)}`);
  }
  const { parallel, groups } = resolveParallel(config.parallel, { experts, topology });
  const { placement } = config;
  const placed = resolvePlacement(placement, { experts, groups, topology });
  const localSlots = placed?.each ?? experts / groups.size;
  const sizes = { modelDim: rowDim, hiddenDim, experts, dtype };
  const expert = resolveExpert(config.expert ?? ffn(), sizes);
  const gate = resolveGate(config.gate, experts);
  if (expert.scoreGradient === "activation" && gate.weighs === "input") {
    fail(
      `the expert "${expert.name}" takes the gradient of the weights of outputs from its activations, and the gate ` +
        `"${gate.name}" weighs inputs, which keeps no outputs either; leave scoreGradient out`,
    );
  }
  const routed = gate.loads?.().ranks;
  if (routed !== undefined && routed !== topology.ranks) {
    fail(
      `the gate "${gate.name}" has a routing of ${routed} ranks, the world has ${topology.ranks}`,
    );
  }
  const routing = resolveRouting(config.routing);
  const losses = resolveLosses(config.losses, gate, { ...counts, modelDim, experts });
  const shared = resolveShared(config.shared, { modelDim, experts: 1, dtype });
  const { capacityAlignment, dropless } = routing;
  const layer = {
    ...counts,
    modelDim,
    hiddenDim,
    experts,
    dtype,
    gradientType: dtype,
    expert,
    gate,
    routing,
    losses,
    ...(shared ? { shared } : {}),
    ...(latentDim === undefined ? {} : { latentDim }),
    rowDim,
    topology,
    parallel,
    groups,
    localExperts: experts / groups.size,
    ...(placement ? { placement } : {}),
    ...(placed ? { placed } : {}),
    slots: localSlots * groups.size,
    localSlots,
    capacityAlignment,
    dropless,
    gateRows: experts + (gate.identities ?? 0),
    topK: gate.slots === "experts" ? experts + (gate.identities ?? 0) : gate.slots ?? gate.k,
    partial: gate.partial === true || (gate.identities ?? 0) > 0,
    prescore: gate.weighs === "input",
    capacityFactor: dropless ? 0 : routing.capacityFactor,
    batchPrioritized: routing.priority === "scores",
  };
  if (layer.capacityFactor !== 0) capacity(layer, 1);
  return layer;
}

/** A checked layer as its user could write it. */
export function configOf(layer: Layer): LayerConfig | UnevenLayerConfig {
  const { tokens, modelDim, hiddenDim, experts, gate, routing, losses, expert, dtype } = layer;
  const { parallel, groups, placement, shared, latentDim, rankTokens } = layer;
  const { capacityFactor, dropless, ...others } = routing;
  return {
    ...(rankTokens ? { tokens: rankTokens } : { tokens }),
    modelDim,
    hiddenDim,
    experts,
    gate,
    losses,
    expert,
    dtype,
    ...(shared ? { shared } : {}),
    ...(latentDim === undefined ? {} : { latentDim }),
    // one group of all ranks stays that in a world of another size
    ...(groups.count > 1 ? { parallel } : {}),
    ...(placement ? { placement } : {}),
    routing: { ...others, dropless, capacityFactor: dropless ? 0 : capacityFactor },
  };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
