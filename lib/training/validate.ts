/** Loss on tokens that a model was not trained on. @module */
import { aFunction, aModel, expect, record } from "../arguments/mod.ts";
import type { PassChoices } from "../layer/mod.ts";
import type { MoeModel } from "../model/mod.ts";
import { SchemoeError } from "../types.ts";
import type { TrainingData } from "./data.ts";

const VALIDATION_LOSS_DATA = record("data, such as textData(text)", { batch: aFunction });

/** How much is evaluated, and with which choices; a codec on the wires counts here too. */
export interface ValidationOptions extends PassChoices {
  /** Default 64; rounded up to whole batches of all ranks. */
  readonly sequences?: number;
}

/**
 * Mean cross entropy of a model on the validation part of its data, in nats a token.
 *
 * ```ts
 * import { createModel } from "@schemoe/lab/model";
 * import { openEngine } from "@schemoe/lab/engines";
 * import { textData, validationLoss } from "@schemoe/lab/training";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
 * const data = textData("to be, or not to be, that is the question. ".repeat(40));
 * using model = createModel(engine, {
 *   vocabulary: data.vocabulary, context: 16, batch: 4, modelDim: 16, attention: { heads: 2 },
 *   layers: [{ moe: { experts: 4, hiddenDim: 16 } }],
 * });
 * console.assert(await validationLoss(model, data, { sequences: 8 }) > 2);
 * ```
 * @throws {SchemoeError} for data without a validation part, and as `evaluate` does.
 */
export async function validationLoss(
  model: MoeModel,
  data: TrainingData,
  of2: ValidationOptions = {},
): Promise<number> {
  expect("validationLoss", "model", model, aModel);
  expect("validationLoss", "data", data, VALIDATION_LOSS_DATA);
  const { sequences = 64, ...choices } = of2;
  if (!data.validation) {
    throw new SchemoeError(`Cannot validate the model: the data "${data.name}" has no validation`);
  }
  const { topology: { ranks }, batch, context } = model.shape;
  const each = ranks * batch;
  const batches = Math.ceil(sequences / each);
  const tokens = data.validation({ sequences: batches * each, context });
  let sum = 0;
  for (let i = 0; i < batches; i++) {
    const from = i * each * (context + 1);
    sum += await model.evaluate(tokens.slice(from, from + each * (context + 1)), choices);
  }
  return sum / batches;
}
