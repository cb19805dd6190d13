/** Chooses how a layer or a stack runs. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import { createLayer, createStack, MoeLayer, MoeStack, type StackConfig } from "../layer/mod.ts";
import { checkFields } from "../arguments/mod.ts";
import { checkGrid } from "../layer/auto/check_grid.ts";
import { checkSignal } from "../layer/check_signal.ts";
import type { MachineProfile } from "../profile/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { Tuned, type TunedVariant, type Variant } from "./tune_result.ts";
import { type SearchOptions, Tuner } from "./tuner.ts";

/** What may be chosen, and what finding out may cost. */
export interface TuneOptions extends SearchOptions {
  /** Where a layer or stack runs that is given by its sizes. */
  readonly engine?: Engine;
  /**
   * Or engines, by name, among which one is chosen too: what they differ in is fixed when they are opened, such as
   * copies by copy engines or by kernels (`copyBy`), and the blocks that NCCL may take (`maxCTAs`).
   */
  readonly engines?: Readonly<Record<string, Engine>>;
  /** What predicts each of several engines. */
  readonly profiles?: Readonly<Record<string, MachineProfile>>;
  /** Pieces into which a stack's reductions of gradients may be cut, so that they fit into gaps; default its own. */
  readonly gradientChunks?: readonly number[];
  /** What measuring may take: seconds, default 30, and runs of passes, default as many as it needs. */
  readonly budget?: { readonly seconds?: number; readonly runs?: number };
}

const OPTIONS = [
  "engine",
  "engines",
  "gradientChunks",
  "profile",
  "profiles",
  "budget",
  "error",
  "codecs",
  "finalists",
  "repeats",
  "schedulers",
  "allToAlls",
  "chunks",
  "signal",
];
const BUDGET = ["seconds", "runs"];
const SECONDS = 30;

/**
 * Chooses scheduler, all-to-all, codec and number of chunks, of forward and backward apart: every combination is
 * bounded, those whose bound is below the best prediction are simulated, and the best, by predictions that what ran before
 * corrects, are measured in turn until one is left or the budget is spent. With them runs what one has without tuning, one
 * task after another over `linear`, and all that Tutel's search would try, with each codec that is allowed: as far as the
 * budget goes, nothing is returned that was measured to be slower than these. Of sizes the engine, and the pieces of a
 * stack's reductions, are chosen too where several are given: the budget is divided among them.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { tune } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
 * const tuned = await tune(layer, { budget: { seconds: 5 } });
 * await layer.forward(tuned.forward);
 * await layer.backward(tuned.backward);
 * console.assert(tuned.regret.forward >= 0);
 * ```
 * @param subject a layer or stack that runs, or its sizes with an engine, or several.
 * @throws {SchemoeError} naming an unknown option, for a budget of nothing, and when the signal is aborted.
 */
export async function tune(
  subject: MoeLayer | MoeStack | LayerConfig | StackConfig,
  options: TuneOptions = {},
): Promise<Tuned> {
  checkFields(options, OPTIONS, { what: "options", fail });
  const { budget: given = {}, finalists = 1, repeats = 1 } = options;
  checkFields(given, BUDGET, { what: "budget", fail });
  for (const [name, count] of Object.entries({ finalists, repeats })) {
    if (Number.isSafeInteger(count) && count >= 1) continue;
    fail(`${name} is ${quoted(count)}, not an integer from 1 on`);
  }
  checkSignal(options.signal, fail);
  checkGrid({ ...options, compressors: options.codecs }, fail, { compressors: "codecs" });
  const { seconds = SECONDS, runs = Infinity } = given;
  const numbers = typeof seconds === "number" && typeof runs === "number";
  if (!(numbers && seconds > 0 && runs >= 1)) {
    fail(`the budget of ${quoted(seconds)} s and ${quoted(runs)} runs is none`);
  }
  if (subject instanceof MoeLayer || subject instanceof MoeStack) {
    if (options.engine && options.engine !== subject.engine) fail("the layer has another engine");
    if (options.engines) fail("the layer has an engine; give its sizes to choose among several");
    if (options.gradientChunks) {
      fail(
        "the reductions of what was made are cut; give the sizes of a stack to choose their pieces",
      );
    }
    return new Tuned(await new Tuner(subject, { ...options, budget: { seconds, runs } }).run());
  }
  const variants = variantsOf(subject, options);
  if (runs < variants.length) {
    fail(`the budget of ${runs} runs is less than one for each of ${variants.length} variants`);
  }
  const budget = { seconds: seconds / variants.length, runs: Math.floor(runs / variants.length) };
  const found: TunedVariant[] = [];
  for (const variant of variants) {
    const { engine, gradientChunks } = variant;
    using made = "layers" in subject
      ? createStack(engine, { ...subject, gradientChunks })
      : createLayer(engine, subject);
    const tuner = new Tuner(made, { ...options, profile: variant.profile, budget });
    // how reductions are cut is nothing to the forward pass
    const known = found.find(({ variant: before }) => before.engine === engine);
    found.push({ variant, passes: await tuner.run(known?.passes.forward) });
  }
  return Tuned.ofVariants(found);
}

function variantsOf(
  subject: LayerConfig | StackConfig,
  { engine, engines, gradientChunks, profile, profiles }: TuneOptions,
): Variant[] {
  if (engine && engines) fail("give an engine or several, not both");
  if (profile && engines) fail("give profiles of the engines, by their names, not one profile");
  const named = engines ? Object.entries(engines) : engine ? [[undefined, engine] as const] : [];
  if (named.length === 0) fail("give an engine beside the sizes of a layer");
  const unknown = Object.keys(profiles ?? {}).find((name) => !engines || !(name in engines));
  if (unknown !== undefined) fail(`there is no engine "${unknown}" for its profile`);
  const isStack = "layers" in subject;
  if (gradientChunks && !isStack) fail("gradientChunks is for stacks, which reduce gradients");
  if (gradientChunks?.length === 0) fail("gradientChunks is empty");
  const pieces = isStack ? gradientChunks ?? [subject.gradientChunks ?? 1] : [undefined];
  return named.flatMap(([name, engine]) =>
    pieces.map((count) => ({
      name,
      engine,
      gradientChunks: count,
      profile: name === undefined ? profile : profiles?.[name],
    }))
  );
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot tune: ${problem}`);
}
