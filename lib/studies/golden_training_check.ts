/** Checks of the configuration of a reference training run, which may come from anywhere. @module */
import { quoted } from "../words.ts";

const COUNTS = [
  ...["ranks", "steps", "batch", "length", "vocabularySize", "modelDim", "heads"],
  ...["keyValueHeads", "headDim", "experts", "topK", "hiddenDim"],
];

/** Words that a field may hold. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  expert: ["ffn", "llama_ffn"],
  norm: ["rms", "layer"],
  positions: ["learned", "rope"],
};

/** Calls `fail` with the first field that no run has, and its value. */
export function checkTrainingConfig(
  config: Readonly<Record<string, unknown>>,
  fail: (problem: string) => never,
): void {
  const wrong = (field: string, expected: string): never =>
    fail(`its "${field}" is ${quoted(config[field])}, not ${expected}`);
  for (const field of COUNTS) {
    if (!Number.isSafeInteger(config[field]) || (config[field] as number) < 1) {
      wrong(field, "a positive integer");
    }
  }
  for (const [field, words] of Object.entries(WORDS)) {
    if (!words.includes(config[field] as string)) wrong(field, words.join(" or "));
  }
  if (typeof config.name !== "string") wrong("name", "text");
  const { blocks, optimizer, schedule } = config;
  const list = Array.isArray(blocks) && blocks.length > 0 &&
    blocks.every((block) => block === "moe" || block === "ffn");
  if (!list) wrong("blocks", "a list of moe and ffn");
  const kind = (Object(optimizer) as { kind?: unknown }).kind;
  if (kind !== "adamw" && kind !== "sgd") wrong("optimizer", "an object of the kind adamw or sgd");
  if (typeof schedule !== "object" || schedule === null) wrong("schedule", "an object");
}
