/** What would be if: the same layer on other links, processors, codecs, chunks and worlds. @module */
import { checkFields } from "../arguments/mod.ts";
import { openSimulator } from "../engines/mod.ts";
import type { LayerConfig } from "../blocks/layer_config.ts";
import { configOf } from "../blocks/resolve_layer.ts";
import { progress } from "../timeline/mod.ts";
import type { AllToAll } from "../alltoall/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { SchemoeError, type Topology } from "../types.ts";
import type { PassChoices } from "../layer/choices.ts";
import { createLayer } from "../layer/create_layer.ts";
import { Run } from "../layer/run.ts";
import { calibrated } from "./what_if_calibrate.ts";
import { WhatIf } from "./what_if_result.ts";
import { commonText, commonWorld } from "../timeline/chart/facts.ts";
import { type Setup, valueOf, type Vary, varyOf } from "./what_if_vary.ts";
import { didYouMean, quoted } from "../words.ts";

/** A layer and its world, when there is no run to start from. */
export interface WhatIfSetup {
  /** The layer, as for `createLayer`. */
  readonly layer: LayerConfig;
  /** The world from which it is varied. */
  readonly topology: Topology;
  /** What stays as it is; default as in `forward`. */
  readonly choices?: PassChoices;
}

/** Varied quantity, and compared lines. */
export interface WhatIfOptions {
  /**
   * A name such as `inter.bandwidth`, `processor.flopRate`, `chunks`, `nodes`, `routing.zipf` (the exponent of
   * an uneven routing of a dropless layer), or a change of one's own.
   */
  readonly vary: string | Vary;
  /** Numbers in SI units, texts such as `"50 GB/s"` or `"5 us"` for rates and times, or names of codecs. */
  readonly values: readonly (number | string)[];
  /** One line for each, and for each combination with the two below; default those of the run. */
  readonly schedulers?: readonly (Scheduler | string)[];
  /** One line for each; default that of the run. */
  readonly allToAlls?: readonly (AllToAll | string)[];
  /** One line for each; default that of the run. */
  readonly compressors?: readonly (Compressor | string)[];
  /** Which times count; `step`, the default, is forward and backward. */
  readonly pass?: "forward" | "backward" | "step";
  /** Quantity of the chart; default the speed-up over the first line when there are several. */
  readonly show?: "seconds" | "speedUp";
  /** One node for all: see `openSimulator`; default true from 64 ranks that are all alike. */
  readonly representatives?: boolean;
}

/** From this many ranks on one node represents all. */
const MANY_RANKS = 64;
const OPTIONS = [
  "vary",
  "values",
  "schedulers",
  "allToAlls",
  "compressors",
  "pass",
  "show",
  "representatives",
];
const SETUP = ["layer", "topology", "choices"];
/** Where what is neither varied nor compared belongs. */
const STAYS = "what stays as it is goes first: { layer, topology, choices: { chunks: 4 } }";

/**
 * Simulates a layer for each value and each line. As a cell's last value the result shows its curves, its
 * table and where the curves cross.
 *
 * ```ts
 * import { topK, topology, whatIf } from "@schemoe/lab";
 * const found = await whatIf({
 *   layer: { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) },
 *   topology: topology({ nodes: 2, ranksPerNode: 4 }),
 *   choices: { chunks: 4 },
 * }, { vary: "inter.bandwidth", values: [1e6, 1e8, 1e10], schedulers: ["sequential", "optSche"] });
 * console.assert(found.rows.length === 6);
 * ```
 * @param from a run, whose layer, world and choices are kept but for what varies, or these themselves. Where
 * the run's tasks were measured alone, processor and links are scaled to take as long in all.
 * @throws {SchemoeError} naming an unknown option, change, or value that cannot be used.
 */
export async function whatIf(from: Run | WhatIfSetup, options: WhatIfOptions): Promise<WhatIf> {
  if (typeof options !== "object" || options === null) {
    fail(`give what varies and its values second, got ${quoted(options)}`);
  }
  checkFields(options, OPTIONS, {
    ...{ what: "options", of: "one of its options" },
    fail: (problem) => fail(`${problem}; ${STAYS}`),
  });
  const { pass = "step" } = options;
  const passes = ["forward", "backward", "step"];
  if (!passes.includes(pass)) {
    fail(
      `unknown pass ${quoted(pass)}, choose one of ${passes.join(", ")}${didYouMean(pass, passes)}`,
    );
  }
  if (!Array.isArray(options.values) || options.values.length === 0) {
    fail("values must be a list that is not empty");
  }
  const vary = varyOf(options.vary);
  const values = options.values.map((value) => valueOf(vary, value));
  const bad = values.find((value) => typeof value === "number" && !Number.isFinite(value));
  if (bad !== undefined) fail(`a value is ${quoted(bad)}, not a finite number`);
  const setup = setupOf(from);
  const lines = linesOf(setup.choices, options);
  const seconds: number[][] = lines.map(() => []);
  const [configurations, worlds]: [Run["configuration"][], Topology[]] = [[], []];
  const line = progress(values.length * lines.length, "what if");
  for (const value of values) {
    for (const [i, { name, choices: own }] of lines.entries()) {
      const choices = { ...setup.choices, ...own };
      const changed = vary.apply({ ...setup, choices }, value);
      const found = await simulated(changed, pass, options.representatives);
      seconds[i].push(found.seconds);
      configurations.push(found.configuration);
      worlds.push(changed.topology);
      line.advance(1, name);
    }
  }
  await line.done();
  return new WhatIf({
    vary,
    values,
    pass,
    show: options.show,
    names: lines.map(({ name }) => name),
    seconds,
    facts: [commonText(configurations), commonWorld(worlds)],
  });
}

function setupOf(from: Run | WhatIfSetup): Setup {
  if (!(from instanceof Run)) {
    if (!from?.layer || !from.topology) fail("give a run, or { layer, topology, choices }, first");
    checkFields(from, SETUP, {
      ...{ what: "the first", of: "a part of it" },
      fail: (problem) => fail(`${problem}; ${STAYS}`),
    });
    return { choices: {}, ...from };
  }
  if (!from.setup) fail("the run does not know its layer; give { layer, topology, choices }");
  const { layer, choices } = from.setup;
  const { scheduler, allToAll, compressor, chunking } = choices;
  const config = configOf(layer);
  if (typeof config.tokens !== "number") {
    fail("ranks of the run have different numbers of tokens, which do not vary; give one number");
  }
  return {
    layer: { ...config, tokens: config.tokens },
    topology: calibrated(layer.topology, from.ran).topology,
    choices: { scheduler, allToAll, compressor, chunks: chunking },
  };
}

function linesOf(base: PassChoices, { schedulers, allToAlls, compressors }: WhatIfOptions) {
  const named = <T extends { readonly name: string }>(value: T | string) =>
    typeof value === "string" ? value : value.name;
  const axis = <K extends keyof PassChoices>(
    key: K,
    values?: readonly ({ readonly name: string } | string)[],
  ) =>
    (values ?? [undefined]).map((value) => ({
      name: value === undefined ? undefined : named(value),
      choices: value === undefined ? {} : { [key]: value } as PassChoices,
    }));
  const lines = axis("scheduler", schedulers).flatMap((a) =>
    axis("allToAll", allToAlls).flatMap((b) =>
      axis("compressor", compressors).map((c) => ({
        name: [a.name, b.name, c.name].filter((name) => name !== undefined).join(" + ") ||
          "as it is",
        choices: { ...base, ...a.choices, ...b.choices, ...c.choices },
      }))
    )
  );
  if (lines.length === 0) fail("a list of lines is empty");
  const double = lines.find(({ name }, i) => lines.findIndex((line) => line.name === name) < i);
  if (double) fail(`two lines are called "${double.name}"; give them names of their own`);
  return lines;
}

async function simulated(
  { layer, topology, choices, loads }: Setup,
  pass: "forward" | "backward" | "step",
  representatives = topology.ranks >= MANY_RANKS && !topology.sharing && !topology.speed && !loads,
): Promise<{ readonly seconds: number; readonly configuration: Run["configuration"] }> {
  const engine = openSimulator(topology, { representatives });
  const made = createLayer(engine, layer);
  const run = { ...choices, bound: false };
  const forward = await made.forward(loads ? { ...run, loads } : run);
  const { configuration, makespan } = forward;
  if (pass === "forward") return { seconds: makespan, configuration };
  const backward = await made.backward(run);
  return { seconds: backward.makespan + (pass === "step" ? makespan : 0), configuration };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot answer the what-if: ${problem}`);
}
