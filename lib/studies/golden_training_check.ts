/** Checks of the configuration of a reference training run, which may come from anywhere. @module */
import { quoted } from "../words.ts";
import { checkGoldenFields } from "./golden_fields_check.ts";

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
  const { blocks } = config;
  const list = Array.isArray(blocks) && blocks.length > 0 &&
    blocks.every((block) => block === "moe" || block === "ffn");
  if (!list) wrong("blocks", "a list of moe and ffn");
  for (const kind of new Set(blocks as string[])) counts(OF_BLOCKS[kind]);
  if ((blocks as string[]).includes("moe")) checkGoldenFields(config, fail);
  for (const field of ["epsilon", "clip"]) number(config[field], field, fail);
  if (config.positions === "rope") number(config.ropeBase, "ropeBase", fail, "a positive number");
  if (typeof config.tied !== "boolean") wrong("tied", "true or false");
  checkOptimizer(config.optimizer, tensors, fail);
  checkSchedule(config.schedule, fail);
}

type Fail = (problem: string) => never;

function checkOptimizer(
  optimizer: unknown,
  tensors: ReadonlyMap<string, unknown>,
  fail: Fail,
): void {
  const { kind, decayed, betas, ...numbers } = Object(optimizer) as Record<string, unknown>;
  if (decayed !== undefined) {
    const foreign = Array.isArray(decayed) ? decayed.find((name) => !tensors.has(name)) : decayed;
    if (foreign !== undefined) {
      fail(`its "optimizer.decayed" is no list of its parameters: it has ${quoted(foreign)}`);
    }
  }
  if (kind === "sgd") number(numbers.momentum, "optimizer.momentum", fail);
  else if (kind === "adamw") {
    for (const field of ["epsilon", "weightDecay"]) {
      number(numbers[field], `optimizer.${field}`, fail);
    }
    if (!(Array.isArray(betas) && betas.length === 2 && betas.every((b) => b >= 0 && b < 1))) {
      fail(
        `its "optimizer.betas" is ${quoted(betas)}, not a list of two numbers from 0 to below 1`,
      );
    }
  } else {
    fail(`its "optimizer" is ${quoted(optimizer)}, not an object of the kind adamw or sgd`);
  }
}

function checkSchedule(schedule: unknown, fail: Fail): void {
  if (typeof schedule !== "object" || schedule === null) {
    fail(`its "schedule" is ${quoted(schedule)}, not an object`);
  }
  const values = schedule as Record<string, unknown>;
  for (const field of ["peak", "final"]) number(values[field], `schedule.${field}`, fail);
  for (const field of ["warmup", "decaySteps"]) {
    if (!Number.isSafeInteger(values[field]) || (values[field] as number) < 0) {
      fail(`its "schedule.${field}" is ${quoted(values[field])}, not a non-negative integer`);
    }
  }
}

/** A number of at least 0. */
function number(
  value: unknown,
  field: string,
  fail: Fail,
  expected = "a non-negative number",
): void {
  const least = expected === "a positive number" ? Number.MIN_VALUE : 0;
  if (!(typeof value === "number" && value >= least && value < Infinity)) {
    fail(`its "${field}" is ${quoted(value)}, not ${expected}`);
  }
}
