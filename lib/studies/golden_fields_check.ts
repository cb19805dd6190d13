/** Checks of the fields that reference cases and reference training runs share; they may come from anywhere. @module */
import { quoted } from "../words.ts";

/** What a field may hold, in words, and whether a value is such; a field that is left out has the layer's default. */
export type Rule = readonly [expected: string, holds: (value: unknown) => boolean];

/** Rules by field. */
type Rules = Readonly<Record<string, Rule>>;

export const whole = (least: number): Rule => [
  least === 1 ? "a positive integer" : "a non-negative integer",
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
];
export const positive = whole(1);
export const flag: Rule = ["true or false", (value) => typeof value === "boolean"];
const finite: Rule = ["a finite number", (value) => Number.isFinite(value)];
export const word = (...words: string[]): Rule => [
  words.join(" or "),
  (value) => words.includes(value as string),
];

/** Fields of a layer by their names in a file. */
const LAYER: Rules = {
  topK: positive,
  latentDim: positive,
  capacityFactor: finite,
  capacityAlignment: positive,
  dropless: flag,
  normalizeGate: flag,
  batchPrioritized: flag,
  prescore: flag,
  bias: flag,
  auxWeight: finite,
};

const GATE: Rules = {
  scores: word("softmax", "sigmoid", "sqrtsoftplus", "softmaxOfChosen", "relu"),
  bias: flag,
  selectionBias: flag,
  groups: positive,
  groupLimit: positive,
  normalize: flag,
  scale: finite,
  weighs: word("output", "input"),
  hash: flag,
  choice: word("token", "expert"),
  zeroExperts: whole(0),
  noise: flag,
  cosine: flag,
};

const SHARED: Rules = {
  hiddenDim: positive,
  kind: word("swiglu", "ffn"),
  gate: word("none", "sigmoid"),
  activation: ["the name of an activation", (value) => typeof value === "string"],
};

/** Losses and updates by name, each with its numbers. */
const LOSSES = ["gshard", "switch", "globalBatch", "sequence", "z", "importance", "load"];
const UPDATES: Readonly<Record<string, string>> = { sign: "rate", quantile: "ema" };

/** A problem of one field, which `fail` ends with. */
export type Fail = (problem: string) => never;

/** Calls `fail` with the first field that holds what no case has, and its value. */
export function checkGoldenFields(config: Readonly<Record<string, unknown>>, fail: Fail): void {
  check(config, LAYER, "", fail);
  const { gate, shared, losses, updates } = config;
  if (gate !== undefined) check(objectOf(gate, "gate", fail), GATE, "gate.", fail);
  if (shared !== undefined) {
    const { activation = "silu", ...others } = objectOf(shared, "shared", fail);
    const all = { hiddenDim: undefined, kind: undefined, ...others, activation };
    check(all, SHARED, "shared.", fail, ["hiddenDim", "kind"]);
  }
  listOf(losses, "losses", fail).forEach((loss, i) => {
    const field = `losses.${i}`;
    const rules = { name: word(...LOSSES), weight: finite };
    check(objectOf(loss, field, fail), rules, `${field}.`, fail, ["name", "weight"]);
  });
  const given = listOf(updates, "updates", fail);
  if (given.length > 1) fail(`its "updates" are ${given.length}: a gate has one`);
  given.forEach((update, i) => {
    const field = `updates.${i}`;
    const values = objectOf(update, field, fail);
    check(values, { name: word(...Object.keys(UPDATES)) }, `${field}.`, fail, ["name"]);
    const number = UPDATES[String(values.name)];
    check(values, { [number]: finite }, `${field}.`, fail, [number]);
  });
}

function check(
  values: Readonly<Record<string, unknown>>,
  rules: Rules,
  path: string,
  fail: Fail,
  needed: readonly string[] = [],
): void {
  for (const [field, [expected, holds]] of Object.entries(rules)) {
    const value = values[field];
    if (value === undefined && !needed.includes(field)) continue;
    if (!holds(value)) fail(`its "${path}${field}" is ${quoted(value)}, not ${expected}`);
  }
}

/** The same where no field may be left out. */
export function checkAll(
  values: Readonly<Record<string, unknown>>,
  rules: Rules,
  path: string,
  fail: Fail,
): void {
  check(values, rules, path, fail, Object.keys(rules));
}

function objectOf(value: unknown, field: string, fail: Fail): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  return fail(`its "${field}" is ${quoted(value)}, not an object`);
}

function listOf(value: unknown, field: string, fail: Fail): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : fail(`its "${field}" is ${quoted(value)}, not a list`);
}
