/** The models as a table for documents. @module */
import type { ModelRouter, ModelSpec } from "./spec.ts";
import { MODELS } from "./table.ts";

const EXPERTS = {
  swiglu: "SwiGLU",
  clamped: "clamped SwiGLU, biases",
  limited: "SwiGLU, clamped at 10",
};

const COLUMNS: readonly (readonly [string, (spec: ModelSpec) => string])[] = [
  ["model", ({ name }) => `\`${name}\``],
  ["layers", ({ layers }) => `${layers}`],
  ["M", ({ modelDim }) => `${modelDim}`],
  ["H", ({ hiddenDim }) => `${hiddenDim}`],
  ["experts", expertsOf],
  ["k", ({ topK }) => `${topK}`],
  ["scores", ({ router }) => router.scores],
  ["choice", ({ router }) => choiceOf(router)],
  ["weights", ({ router }) => weightsOf(router)],
  ["expert", ({ expert }) => EXPERTS[expert ?? "swiglu"]],
  ["shared", sharedOf],
  ["losses", ({ losses }) => listed(Object.entries(losses).map((loss) => loss.join(" ")))],
  ["sizes from", ({ sources }) => sources.sizes],
  ["router from", ({ sources }) => sources.router],
  ["ranks of a group", ({ expertParallel }) => `${expertParallel}`],
  ["group from", ({ sources }) => sources.groups],
  ["differs", ({ differs }) => differs ?? ""],
];

/**
 * All models as a table in Markdown: sizes, router, losses, experts, sources.
 *
 * ```ts
 * import { modelTable } from "@schemoe/lab/models";
 * console.assert(modelTable().includes("deepseek-v3"));
 * ```
 */
export function modelTable(): string {
  const rows = MODELS.map((spec) => COLUMNS.map(([, of]) => of(spec)));
  const head = COLUMNS.map(([name]) => name);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const listed = (parts: readonly string[]): string => parts.join(", ") || "none";

function expertsOf({ experts, router: { identities } }: ModelSpec): string {
  return identities ? `${experts} and ${identities} without computation` : `${experts}`;
}

function choiceOf({ bias, biasRate, active, groups, groupLimit, hash }: ModelRouter): string {
  return listed([
    ...(bias ? ["trained bias"] : []),
    ...(biasRate === undefined ? [] : [`selection bias, rate ${biasRate}`]),
    ...(active === undefined ? [] : [`${active} with computation on average`]),
    ...(groups ? [`${groupLimit} of ${groups} groups`] : []),
    ...(hash ? [`first ${hash.layers} layers by token number`] : []),
  ]);
}

function weightsOf({ scores, normalize = true, scale = 1, weighs }: ModelRouter): string {
  const over = scores === "softmaxOfChosen" ? "softmax of the chosen" : "divided by their sum";
  return listed([
    normalize ? over : "scores",
    ...(scale === 1 ? [] : [`times ${scale}`]),
    ...(weighs ? ["on the input"] : []),
  ]);
}

function sharedOf({ shared }: ModelSpec): string {
  if (!shared) return "none";
  return shared.gate ? `${shared.hiddenDim}, times a sigmoid` : `${shared.hiddenDim}`;
}
