/** The configuration of a pass, for captions and saved runs. @module */
import type { Layer } from "../blocks/mod.ts";
import { splitText } from "../chunking/split.ts";
import type { Engine } from "../engine.ts";
import type { Chunk, TaskGraph } from "../types.ts";
import { timeText } from "../units.ts";
import { codecName, exchangeName, reassociates, type ResolvedChoices } from "./choices.ts";

/** How configurations name an engine and its timing. */
export const engineText = ({ kind, timing }: Engine): string => `${kind}, ${timing}`;

/** How a configuration tells the engine of its run, and how far the clocks in it are off each other. */
export interface EngineFacts {
  readonly engine: string;
  readonly clocks?: string;
}

/** The engine, and the clocks of its latest run. */
export function engineFacts(engine: Engine): EngineFacts {
  const { clockError } = engine;
  const clocks = clockError === undefined ? {} : { clocks: `within ${timeText(clockError)}` };
  return { engine: engineText(engine), ...clocks };
}

/** Sizes of a layer in words and numbers; with the places of an expert, where they are known. */
export function sizesOf(layer: Layer, capacity?: number): TaskGraph["configuration"] {
  const {
    tokens,
    rankTokens,
    modelDim,
    hiddenDim,
    latentDim,
    dtype,
    experts,
    topK,
    expert,
    dropless,
  } = layer;
  return {
    tokens: rankTokens ? `${rankTokens.join(", ")} on the ranks` : `${tokens} a rank`,
    modelDim,
    hiddenDim,
    dtype,
    ...(latentDim === undefined ? {} : { latentDim }),
    experts,
    topK,
    ...(capacity === undefined ? {} : { capacity }),
    ...(dropless ? { dropless } : {}),
    expert: expert.name,
  };
}

/** Choices, sizes and engine of a pass in words and numbers. */
export function configurationOf(
  choices: ResolvedChoices,
  { layer, facts, capacity, chunks }: {
    readonly layer: Layer;
    readonly facts: EngineFacts;
    readonly capacity: number;
    readonly chunks: readonly Chunk[];
  },
): TaskGraph["configuration"] {
  const chunking = splitText(chunks);
  return {
    scheduler: choices.scheduler.name,
    ...(reassociates(choices) ? { weightGradients: "summed in any order" } : {}),
    allToAll: exchangeName(choices),
    compressor: codecName(choices.compressor),
    chunks: chunks.length,
    ...(chunking ? { chunking } : {}),
    world: `${layer.topology.nodes} x ${layer.topology.ranksPerNode}`,
    ...sizesOf(layer, capacity),
    ...facts,
  };
}
