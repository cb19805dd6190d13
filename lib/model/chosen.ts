/** The choices of a pass over a model. @module */
import type { Engine } from "../engine.ts";
import { codecName, exchangeName, type PassChoices } from "../layer/choices.ts";
import { engineFacts } from "../layer/configuration.ts";
import { resolveChoices } from "../layer/resolve_choices.ts";
import type { ModelShape } from "./config.ts";
import type { StepPrograms } from "./step_programs.ts";

/** Of which model. */
interface ChosenFor {
  readonly engine: Engine;
  readonly shape: ModelShape;
  readonly programs: StepPrograms;
}

/** Resolved choices of a pass, and a configuration for captions. */
export function chosen(
  { engine, shape, programs }: ChosenFor,
  choices: PassChoices,
  pass: "forward" | "step",
) {
  const { topology, layers, vocabulary, context, batch, modelDim, optimizer, microbatches } = shape;
  const resolved = resolveChoices(choices, []);
  const { scheduler, compressor } = resolved;
  const [first] = programs.expected(resolved).values();
  const configuration = {
    pass,
    layers: layers.length,
    scheduler: scheduler.name,
    allToAll: exchangeName(resolved),
    compressor: codecName(compressor),
    chunks: first?.chunks.length ?? 1,
    world: `${topology.nodes} x ${topology.ranksPerNode}`,
    tokens: `${batch} x ${context} a rank`,
    modelDim,
    vocabulary,
    ...(microbatches > 1 ? { microbatches } : {}),
    optimizer: optimizer.name,
    ...engineFacts(engine),
  };
  return { resolved, configuration };
}
