/** Whether a value that was read is a profile. @module */
import { quoted } from "../words.ts";

/** Estimates of links, and of each kind of computation, by their places. */
const LINKS = ["alpha", "intra.alpha", "intra.beta", "inter.alpha", "inter.beta", "local"];
const WORK = ["alpha", "perFlop", "perByte", "perElement"];
const TEXTS = [
  "machine.os",
  "machine.architecture",
  "versions.package",
  "date",
  "engine.kind",
  "engine.timing",
];
const SLOWDOWN = ["slowdown.compute", "slowdown.communication"];
const WORLD = ["engine.nodes", "engine.ranksPerNode"];
const LAUNCH = ["compute", "transfer"].flatMap((kind) =>
  ["begin", "next", "wait"].map((when) => `launch.${kind}.${when}`)
);

type Test = (value: unknown) => boolean;
const isText: Test = (value) => typeof value === "string" && value !== "";
const isNumber: Test = (value) => typeof value === "number" && value >= 0 && value < Infinity;
const isPositive: Test = (value) => isNumber(value) && value !== 0;
/** Numbers from 0 on, none left out, of so many ranks. */
const isNumbering = (ranks: number): Test => (value) =>
  Array.isArray(value) && value.length === ranks &&
  [...new Set(value)].toSorted((a, b) => a - b).every((number, i) => number === i);
const isCount: Test = (value) => isPositive(value) && Number.isSafeInteger(value);
const isWay: Test = (value) => value === "inTurn" || value === "first";
const optional = (is: Test): Test => (value) => value === undefined || is(value);

/** What a profile that was read, or made otherwise, lacks; undefined where predictions can go by it. */
export function profileProblem(profile: unknown): string | undefined {
  const kinds = at(profile, "kinds");
  const problem = wrong(profile, TEXTS, isText, "a text") ??
    wrong(profile, WORLD, isCount, "an integer above 0") ??
    wrong(profile, SLOWDOWN, isPositive, "a number above 0") ??
    wrong(profile, LAUNCH, isNumber, "a number of at least 0") ??
    estimateProblem(at(profile, "links"), LINKS, "links") ??
    processorsProblem(at(profile, "processors"), ranksOf(profile)) ??
    wrong(profile, ["speed"], optional(isPositive), "a number above 0") ??
    wrong(profile, ["replaces"], optional(isText), "a text") ??
    (at(profile, "probe") === undefined
      ? undefined
      : wrong(profile, ["probe.seconds"], isPositive, "a number of seconds"));
  if (problem !== undefined) return problem;
  if (!Array.isArray(kinds)) return `has kinds ${quoted(kinds)}, not a list`;
  for (const [i, fit] of kinds.entries()) {
    const name = `kinds[${i}]`;
    const found = wrong(fit, ["kind"], isText, "a text", `${name}.`) ??
      estimateProblem(fit, WORK, name) ??
      wrong(fit, ["tile"], optional(isCount), "an integer above 0", `${name}.`) ??
      (at(fit, "busy") === undefined
        ? undefined
        : estimateProblem(at(fit, "busy"), WORK, `${name}.busy`));
    if (found !== undefined) return found;
  }
}

const ranksOf = (profile: unknown): number =>
  WORLD.reduce((product, size) => product * Number(at(profile, size)), 1);

/** Of processors that lanes share, which a profile may have. */
function processorsProblem(processors: unknown, ranks: number): string | undefined {
  if (processors === undefined) return undefined;
  const name = "processors.";
  const turns = at(processors, "turns");
  return wrong(
    processors,
    ["of"],
    optional(isNumbering(ranks)),
    "a list of numbers from 0 on, one a rank",
    name,
  ) ??
    wrong(processors, ["capacity"], isPositive, "a number above 0", name) ??
    wrong(
      processors,
      ["ranks"],
      optional((value) =>
        Array.isArray(value) && value.length === ranks && value.every(isPositive)
      ),
      `${ranks} numbers above 0`,
      name,
    ) ??
    wrong(processors, ["transferWidth"], optional(isPositive), "a number above 0", name) ??
    (turns === undefined
      ? undefined
      : wrong(processors, ["turns.count"], isCount, "an integer above 0", name) ??
        wrong(processors, ["turns.slice"], optional(isPositive), "a number of seconds", name) ??
        wrong(processors, ["turns.transfers"], optional(isWay), 'one of "inTurn", "first"', name));
}

/** Of a fit: its estimates, and the factors by which it is corrected. */
function estimateProblem(fit: unknown, places: readonly string[], name: string) {
  const values = places.map((place) => `${place}.value`);
  const problem = wrong(fit, values, isNumber, "a number of at least 0", `${name}.`);
  if (problem !== undefined) return problem;
  const corrections = at(fit, "corrections");
  const rising = Array.isArray(corrections) &&
    corrections.every((one, i) =>
      isPositive(one?.factor) && isPositive(one.seconds) &&
      (i === 0 || one.seconds > corrections[i - 1].seconds)
    );
  return rising
    ? undefined
    : `has ${name}.corrections ${quoted(corrections)}, not a list of factors by rising seconds`;
}

function wrong(value: unknown, places: readonly string[], is: Test, what: string, name = "") {
  const place = places.find((one) => !is(at(value, one)));
  return place === undefined
    ? undefined
    : `has ${name}${place} ${quoted(at(value, place))}, not ${what}`;
}

/** What lies at `a.b` of a value; undefined where there is no such place. */
const at = (value: unknown, place: string): unknown =>
  place.split(".").reduce<unknown>(
    (part, name) => (part as Record<string, unknown> | null | undefined)?.[name],
    value,
  );
