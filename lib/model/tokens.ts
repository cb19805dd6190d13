/** Tokens of a step: inputs and targets of each rank. @module */
import type { Workspace } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { tokenTable } from "../memory/mod.ts";
import { quoted } from "../words.ts";
import type { ModelShape } from "./config.ts";
import { moePrefix, partPrefix } from "./tensors.ts";

/**
 * Tokens [ranks, batch, context + 1] that fit the model.
 * @throws {SchemoeError} for another number of them, and naming one that is not in the vocabulary.
 */
export function checkedTokens(shape: ModelShape, tokens: Int32Array | undefined): Int32Array {
  const { batch, context, vocabulary, topology: { ranks } } = shape;
  const expected = ranks * batch * (context + 1);
  if (!(tokens instanceof Int32Array) || tokens.length !== expected) {
    const got = tokens instanceof Int32Array ? `${tokens.length} of them` : quoted(tokens);
    throw new SchemoeError(
      `Cannot run the step: tokens must be an Int32Array of shape [${ranks}, ${batch}, ` +
        `${context + 1}] (${expected}), got ${got}`,
    );
  }
  const wrong = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (wrong >= 0) {
    throw new SchemoeError(
      `Cannot run the step: token ${wrong} is ${tokens[wrong]}, the vocabulary has ${vocabulary}`,
    );
  }
  return tokens;
}

/**
 * Writes the first `context` tokens of each sequence as inputs, the last `context` as targets; gates that choose by
 * token number get the inputs too.
 */
export function writeTokens(shape: ModelShape, workspace: Workspace, tokens: Int32Array): void {
  const { batch, context, topology: { ranks } } = shape;
  const count = batch * context;
  const numbered = numberedBy(shape);
  const each = Object.fromEntries(numbered.map(({ name }) => [name, 4 * shape.tokens]));
  workspace.ensure({ tokens: 4 * count, targets: 4 * count, ...each });
  for (let rank = 0; rank < ranks; rank++) {
    const inputs = new Int32Array(count), targets = new Int32Array(count);
    for (let b = 0; b < batch; b++) {
      const from = (rank * batch + b) * (context + 1);
      inputs.set(tokens.subarray(from, from + context), b * context);
      targets.set(tokens.subarray(from + 1, from + context + 1), b * context);
    }
    workspace.write("tokens", rank, inputs);
    workspace.write("targets", rank, targets);
    for (const { name, microbatch } of numbered) {
      const first = microbatch * shape.tokens;
      workspace.write(name, rank, inputs.slice(first, first + shape.tokens));
    }
  }
}

/** Names of the numbers of tokens that gates read, of each microbatch. */
function numberedBy(shape: ModelShape): { name: string; microbatch: number }[] {
  const blocks = shape.layers.flatMap((block, index) =>
    "moe" in block && tokenTable(block.moe) ? [index] : []
  );
  return blocks.flatMap((index) =>
    Array.from({ length: shape.microbatches }, (_, microbatch) => ({
      name: `${partPrefix(shape, microbatch)}${moePrefix(index)}gate.tokenIds`,
      microbatch,
    }))
  );
}
