/** The loss of a model on tokens, without a step. @module */
import type { Engine } from "../engine.ts";
import type { PassChoices } from "../layer/choices.ts";
import type { TensorStore } from "../layer/store.ts";
import { SchemoeError } from "../types.ts";
import { chosen } from "./chosen.ts";
import type { ModelShape } from "./config.ts";
import type { StepPrograms } from "./step_programs.ts";
import { mean } from "./step_values.ts";
import { checkedTokens, writeTokens } from "./tokens.ts";

/** Whose loss it is. */
interface Evaluated {
  readonly engine: Engine;
  readonly shape: ModelShape;
  readonly store: TensorStore;
  readonly programs: StepPrograms;
  /** Takes the noise of gates away. */
  readonly quiet: () => Promise<void>;
}

/**
 * Mean cross entropy, in nats a token; the caller sees to it that nothing else runs.
 * @throws {SchemoeError} when tokens or choices are wrong, and on an engine that computes no values.
 */
export async function evaluate(
  { engine, shape, store, programs, quiet }: Evaluated,
  tokens: Int32Array,
  choices: PassChoices,
): Promise<number> {
  if (!engine.computes) {
    throw new SchemoeError(
      `Cannot evaluate the model: the engine ${engine.kind} computes no values`,
    );
  }
  const checked = checkedTokens(shape, tokens);
  await store.waitFor(undefined, choices);
  await quiet();
  writeTokens(shape, store.workspace, checked);
  const { resolved, configuration } = chosen({ engine, shape, programs }, choices, "forward");
  const { timeLimit, signal, checkNumbers } = choices;
  await programs.run({
    ...{ kind: "loss", choices: resolved, configuration, bound: false },
    ...{ timeLimit, signal, checkNumbers },
  });
  return mean([...store.read("loss")]) / shape.tokens; // of ranks and microbatches
}
