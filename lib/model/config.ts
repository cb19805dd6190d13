/** Checks of the configuration of a model: sizes, layers and training. @module */
import { checkFields } from "../arguments/mod.ts";
import * as compressors from "../compressors/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import {
  adamw,
  capacity,
  constantRate,
  type Layer,
  learnedPositions,
  type Rate,
  resolveLayer,
  rmsNorm,
  routedCapacity,
} from "../blocks/mod.ts";
import { evenLoads, largestLoad } from "../chunking/loads.ts";
import { slotLoads } from "../chunking/slot_loads.ts";
import type { ReduceCodecs } from "../graph/mod.ts";
import type { Expert } from "../blocks/experts/types.ts";
import { refuseScores } from "../blocks/experts/score_gradient.ts";
import { resolveExpert } from "../blocks/resolve_expert.ts";
import type { ElementType } from "../kernels/types.ts";
import { tokenTable } from "../memory/mod.ts";
import type { BlockConfig, DenseConfig, ModelConfig } from "./model_config.ts";
import { type NamedModelConfig, withBlocks } from "./layers_by_name.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { quoted } from "../words.ts";

/** A checked block on a topology. */
export type ModelBlock =
  | { readonly moe: Layer; readonly places: number }
  | { readonly ffn: DenseBlock };

/** A dense feed-forward layer with its network looked up. */
export interface DenseBlock extends DenseConfig {
  /** The network. */
  readonly expert: Expert;
}

/** A checked model on a topology. */
export interface ModelShape
  extends Required<Omit<ModelConfig, "layers" | "attention" | "parallel" | "gradientCodec">> {
  /** Codecs of gradients on their way between ranks. */
  readonly gradientCodec: ReduceCodecs;
  /** World in which it trains. */
  readonly topology: Topology;
  /** Heads and their sizes, with defaults filled in. */
  readonly attention: Required<ModelConfig["attention"]>;
  /** Layers as they were checked. */
  readonly layers: readonly ModelBlock[];
  /** Learning rate by step. */
  readonly rate: Rate;
  /** Sequences and tokens of a rank in a microbatch. */
  readonly sequences: number;
  /** Tokens of a rank in a microbatch. */
  readonly tokens: number;
}

const KNOWN = [
  "vocabulary",
  "context",
  "batch",
  "microbatches",
  "parallel",
  "modelDim",
  "dtype",
  "attention",
  "layers",
  "norm",
  "positions",
  "tied",
  "optimizer",
  "rate",
  "clip",
  "gradientChunks",
  "gradientCodec",
];

/**
 * Checks a model for a topology and fills in defaults.
 * @throws {SchemoeError} naming the first field that is wrong.
 */
export function resolveModel(
  given: ModelConfig | NamedModelConfig,
  topology: Topology,
): ModelShape {
  if (typeof given !== "object" || given === null) {
    fail(`give an object with ${KNOWN.slice(0, 6).join(", ")}, got ${quoted(given)}`);
  }
  checkNames("a model", given, KNOWN);
  const config = withBlocks(given);
  const { vocabulary, context, batch, modelDim, gradientChunks = 1, microbatches = 1 } = config;
  positive({ vocabulary, context, batch, modelDim, gradientChunks, microbatches });
  if (batch % microbatches !== 0) {
    fail(`${microbatches} microbatches do not divide the batch of ${batch}`);
  }
  const attention = resolveAttention(config);
  const { parallel } = config;
  const { clip = 1, tied = false, rate = 1e-3, positions = learnedPositions() } = config;
  const { dtype = "float32" } = config;
  if (dtype !== "float32" && dtype !== "bfloat16") {
    fail(`dtype must be float32 or bfloat16, got ${quoted(dtype)}`);
  }
  if (!(typeof clip === "number" && clip >= 0)) {
    fail(`clip must be a number of at least 0, got ${quoted(clip)}`);
  }
  if (typeof tied !== "boolean") fail(`tied must be true or false, got ${quoted(tied)}`);
  if (positions.kind === "turned" && attention.headDim % 2 !== 0) {
    fail(`${positions.name} needs an even headDim, got ${attention.headDim}`);
  }
  const sequences = batch / microbatches;
  const tokens = sequences * context;
  const moes = config.layers.filter((block) => "moe" in block).length;
  const parts = topology.ranks * moes * microbatches;
  const layers = config.layers.map((block, index) =>
    resolveBlock(block, {
      ...{ index, tokens, modelDim, dtype, topology, parts, microbatches, parallel, vocabulary },
    })
  );
  return {
    vocabulary,
    context,
    batch,
    modelDim,
    dtype,
    gradientChunks,
    gradientCodec: resolveGradientCodecs(config.gradientCodec),
    attention,
    clip,
    tied,
    positions,
    topology,
    microbatches,
    sequences,
    tokens,
    norm: config.norm ?? rmsNorm(),
    optimizer: config.optimizer ?? adamw(),
    rate: typeof rate === "number" ? constantRate(rate) : rate,
    layers,
  };
}

const HALVES = ["reduceScatter", "allGather"] as const;

/** The codec of each half, where there is one that may lose something. */
function resolveGradientCodecs(given: ModelConfig["gradientCodec"] = {}): ReduceCodecs {
  const both = typeof given === "object" && given !== null && !("wireBytes" in given);
  const halves: NonNullable<Exclude<ModelConfig["gradientCodec"], Compressor | string>> = both
    ? given
    : { reduceScatter: given };
  checkNames("gradientCodec", halves, HALVES);
  return Object.fromEntries(
    HALVES.filter((half) => halves[half] !== undefined)
      .map((half) => [half, gradientCodec(halves[half]!)] as const)
      .filter(([, codec]) => codec.native!.codec !== "none"),
  );
}

function gradientCodec(given: Compressor | string): Compressor {
  const codec = typeof given === "string"
    ? Object.entries(compressors as Record<string, unknown>).find(([name]) => name === given)?.[1]
    : given;
  const { native, name } = Object(codec) as Compressor;
  if (native === undefined) {
    fail(`gradientCodec must be a native codec such as "int8Blocks", got ${quoted(name ?? given)}`);
  }
  return codec as Compressor;
}

function resolveAttention(
  { attention, modelDim }: ModelConfig,
): Required<ModelConfig["attention"]> {
  if (typeof attention !== "object" || attention === null) {
    fail(`attention must be an object such as { heads: 4 }, got ${quoted(attention)}`);
  }
  checkNames("attention", attention, ["heads", "keyValueHeads", "headDim"]);
  const { heads, keyValueHeads = heads, headDim = modelDim / heads } = attention;
  positive({ "attention.heads": heads, "attention.keyValueHeads": keyValueHeads });
  if (!Number.isInteger(headDim) || headDim < 1) {
    fail(`${heads} heads do not divide modelDim ${modelDim}; give attention.headDim`);
  }
  if (heads % keyValueHeads !== 0) {
    fail(`attention.keyValueHeads ${keyValueHeads} does not divide the ${heads} heads`);
  }
  return { heads, keyValueHeads, headDim };
}

function resolveBlock(
  block: BlockConfig,
  { index, tokens, modelDim, dtype, topology, parts, microbatches, parallel, vocabulary }: {
    index: number;
    vocabulary: number;
    tokens: number;
    modelDim: number;
    dtype: ElementType;
    topology: Topology;
    /** Passes over Mixture-of-Experts layers in a step, of all ranks. */
    parts: number;
    microbatches: number;
    parallel: ModelConfig["parallel"];
  },
): ModelBlock {
  checkNames(`layers[${index}]`, block, ["moe", "ffn"]);
  if ("ffn" in block) {
    const { hiddenDim } = block.ffn;
    positive({ [`layers[${index}].ffn.hiddenDim`]: hiddenDim });
    const expert = resolveExpert(block.ffn.expert, { modelDim, hiddenDim, experts: 1, dtype });
    refuseScores(expert, `layers[${index}]: the expert of all tokens`, fail);
    return { ffn: { hiddenDim, expert } };
  }
  const layer = resolveLayer({ parallel, ...block.moe, tokens, modelDim, dtype }, topology);
  if (microbatches > 1 && layer.gate.update) {
    fail(
      `layers[${index}]: the gate "${layer.gate.name}" has updates of its own, which microbatches repeat`,
    );
  }
  // every gradient is one of the mean over ranks, layers and microbatches
  const losses = layer.losses.map((loss) => ({
    ...loss,
    weight: loss.weight / parts,
  }));
  const table = tokenTable(layer);
  if (table && table.vocabulary < vocabulary) {
    fail(
      `layers[${index}]: the table of the gate "${layer.gate.name}" has ${table.vocabulary} tokens, the vocabulary ` +
        `${vocabulary}; give the gate that vocabulary`,
    );
  }
  return { moe: { ...layer, losses, gradientType: "float32" }, places: placesOf(layer) };
}

/**
 * Places of an expert. What depends on the routing is taken at its largest, so that the graph does not depend on it:
 * without a capacity places for all tokens, with a factor below 0 as many as it allows. The graphs of a dropless
 * layer do depend on it, and its places here are those of loads as equal as can be.
 */
function placesOf(layer: Layer): number {
  if (layer.dropless) return Math.max(1, largestLoad(slotLoads(layer, evenLoads(layer))));
  return capacity(layer, routedCapacity(layer) ? layer.tokens : 0);
}

function checkNames(what: string, value: object, known: readonly string[]): void {
  checkFields(value, known, { what, of: `a field of ${what}`, fail });
}

function positive(values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the model: ${problem}`);
}
