/** Checks of the configuration of a reference training run, which may come from anywhere. @module */
import { quoted } from "../words.ts";
import { checkAll, checkGoldenFields, type Fail } from "./golden_fields_check.ts";
import { flag, positive, type Rule, whole, word } from "./golden_fields_check.ts";

/** Rules of fields that have the same one. */
const same = (rule: Rule, ...fields: string[]): Readonly<Record<string, Rule>> =>
  Object.fromEntries(fields.map((field) => [field, rule]));

const isNumber = (value: unknown): value is number => typeof value === "number" && value < Infinity;
const nonNegative: Rule = ["a non-negative number", (value) => isNumber(value) && value >= 0];
const above: Rule = ["a positive number", (value) => isNumber(value) && value > 0];

/** What every run has, its blocks last: other fields are looked at by them. */
const RUN: Readonly<Record<string, Rule>> = {
  ...same(positive, "ranks", "steps", "batch", "length", "vocabularySize", "modelDim", "heads"),
  ...same(positive, "keyValueHeads", "headDim"),
  norm: word("rms", "layer"),
  positions: word("learned", "rope"),
  name: ["text", (value) => typeof value === "string"],
  blocks: [
    "a list of moe and ffn",
    (value) =>
      Array.isArray(value) && value.length > 0 &&
      value.every((block) => block === "moe" || block === "ffn"),
  ],
};
const NUMBERS = same(nonNegative, "epsilon", "clip");

/** Counts that only runs with blocks of a kind need. */
const OF_BLOCKS: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  moe: same(positive, "experts", "topK", "hiddenDim"),
  ffn: same(positive, "denseHiddenDim"),
};

const OPTIMIZERS: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  sgd: { momentum: nonNegative },
  adamw: {
    ...same(nonNegative, "epsilon", "weightDecay"),
    betas: [
      "a list of two numbers from 0 to below 1",
      (value) => Array.isArray(value) && value.length === 2 && value.every((b) => b >= 0 && b < 1),
    ],
  },
};

const SCHEDULE: Readonly<Record<string, Rule>> = {
  ...same(nonNegative, "peak", "final"),
  ...same(whole(0), "warmup", "decaySteps"),
};

/** Calls `fail` with the first field that no run has, and its value; `tensors` are those of the file. */
export function checkTrainingConfig(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, unknown>,
  fail: Fail,
): void {
  checkAll(config, RUN, "", fail);
  const blocks = new Set(config.blocks as string[]);
  for (const kind of blocks) checkAll(config, OF_BLOCKS[kind], "", fail);
  if (blocks.has("moe")) checkGoldenFields(config, fail);
  checkAll(config, NUMBERS, "", fail);
  if (config.positions === "rope") checkAll(config, { ropeBase: above }, "", fail);
  checkAll(config, { tied: flag }, "", fail);
  checkOptimizer(config.optimizer, tensors, fail);
  const { schedule } = config;
  if (typeof schedule !== "object" || schedule === null) {
    fail(`its "schedule" is ${quoted(schedule)}, not an object`);
  }
  checkAll(schedule as Readonly<Record<string, unknown>>, SCHEDULE, "schedule.", fail);
}

function checkOptimizer(
  optimizer: unknown,
  tensors: ReadonlyMap<string, unknown>,
  fail: Fail,
): void {
  const { kind, decayed, ...values } = Object(optimizer) as Record<string, unknown>;
  if (decayed !== undefined) {
    const foreign = Array.isArray(decayed) ? decayed.find((name) => !tensors.has(name)) : decayed;
    if (foreign !== undefined) {
      fail(`its "optimizer.decayed" is no list of its parameters: it has ${quoted(foreign)}`);
    }
  }
  if (typeof kind !== "string" || !Object.hasOwn(OPTIMIZERS, kind)) {
    fail(`its "optimizer" is ${quoted(optimizer)}, not an object of the kind adamw or sgd`);
  }
  checkAll(values, OPTIMIZERS[kind as string], "optimizer.", fail);
}
