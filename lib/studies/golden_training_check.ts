/** Checks of the configuration of a reference training run, which may come from anywhere. @module */
import { quoted } from "../words.ts";

const COUNTS = [
  ...["ranks", "steps", "batch", "length", "vocabularySize", "modelDim", "heads"],
  ...["keyValueHeads", "headDim"],
];

/** Counts that only runs with blocks of a kind need. */
const OF_BLOCKS: Readonly<Record<string, readonly string[]>> = {
  moe: ["experts", "topK", "hiddenDim"],
  ffn: ["denseHiddenDim"],
};

/** Words that a field may hold. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  norm: ["rms", "layer"],
  positions: ["learned", "rope"],
};

/** Calls `fail` with the first field that no run has, and its value; `tensors` are those of the file. */
export function checkTrainingConfig(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, unknown>,
  fail: (problem: string) => never,
): void {
  const wrong = (field: string, expected: string): never =>
    fail(`its "${field}" is ${quoted(config[field])}, not ${expected}`);
  const counts = (fields: readonly string[]) => {
    for (const field of fields) {
      if (!Number.isSafeInteger(config[field]) || (config[field] as number) < 1) {
        wrong(field, "a positive integer");
      }
    }
  };
  counts(COUNTS);
  for (const [field, words] of Object.entries(WORDS)) {
    if (!words.includes(config[field] as string)) wrong(field, words.join(" or "));
  }
  if (typeof config.name !== "string") wrong("name", "text");
  const { blocks, optimizer, schedule } = config;
  const list = Array.isArray(blocks) && blocks.length > 0 &&
    blocks.every((block) => block === "moe" || block === "ffn");
  if (!list) wrong("blocks", "a list of moe and ffn");
  for (const kind of new Set(blocks as string[])) counts(OF_BLOCKS[kind]);
  const { kind, decayed } = Object(optimizer) as { kind?: unknown; decayed?: unknown };
  if (kind !== "adamw" && kind !== "sgd") wrong("optimizer", "an object of the kind adamw or sgd");
  if (decayed !== undefined) {
    const foreign = Array.isArray(decayed) ? decayed.find((name) => !tensors.has(name)) : decayed;
    if (foreign !== undefined) {
      fail(`its "optimizer.decayed" is no list of its parameters: it has ${quoted(foreign)}`);
    }
  }
  if (typeof schedule !== "object" || schedule === null) wrong("schedule", "an object");
}
