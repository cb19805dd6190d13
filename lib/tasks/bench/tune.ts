/** `auto`, `tune` and what other systems choose, against the best of the whole grid. */
import {
  type Baseline,
  calibrate,
  fsMoeChoice,
  median,
  pipeMoeChoice,
  tune,
  tutelSearch,
} from "../../adaptive/mod.ts";
import { type LayerConfig, topK } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { openEngine } from "../../engines/mod.ts";
import {
  type Candidate,
  candidateName,
  candidatesOf,
  createLayer,
  type MoeLayer,
  orderOf,
} from "../../layer/mod.ts";
import { inTurn, type StepChoice } from "./in_turn.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";
import { SLOW } from "./trust.ts";

/** Runs of a grid's combination, and of a final choice. */
const GRID_RUNS = 2;
const FINAL_RUNS = 7;
/** A step within this part of the best of the grid is good. */
const GOOD = 1.03;
/** Steps that `auto` runs. */
const STEPS = 24;

/** The CPU engine with emulated links and paced computation, a layer not among those it was calibrated with. */
export async function benchTune(): Promise<Report> {
  using engine = openEngine({ kind: "cpu", topology: SLOW, computation: "paced" });
  return await tuneReport(engine, {
    around: { tokens: 96, modelDim: 32, hiddenDim: 64, experts: 8 },
    layer: { tokens: 112, modelDim: 40, hiddenDim: 88, experts: 8, gate: topK({ k: 2 }) },
  });
}

/** One GPU with copies, 2 x 2 ranks that share it. */
export async function benchGpuTune(): Promise<Report> {
  using engine = openEngine({ kind: "cuda", nodes: 2, ranksPerNode: 2, links: "plain" });
  return await tuneReport(engine, {
    around: { tokens: 4096, modelDim: 1024, hiddenDim: 2048, experts: 8 },
    layer: { tokens: 6144, modelDim: 1536, hiddenDim: 1536, experts: 8, gate: topK({ k: 2 }) },
  });
}

interface TuneCase {
  readonly around: LayerConfig;
  readonly layer: LayerConfig;
}

async function tuneReport(engine: Engine, { around, layer: config }: TuneCase): Promise<Report> {
  const profile = await calibrate(engine, { layer: around, codecs: [] });
  using layer = createLayer(engine, config);
  const grid = await bestOfGrid(layer);
  const contenders: (StepChoice & { readonly what: string; readonly more: Row })[] = [];
  const add = (
    what: string,
    { forward, backward }: Pick<Baseline, "forward" | "backward">,
    more: Row,
  ) => {
    contenders.push({
      ...{ what, more },
      forward: { compressor: "none", ...forward },
      backward: { compressor: "none", ...backward },
    });
  };
  add("best of the grid", grid, { "trial steps": grid.combinations });
  const tutel = await tutelSearch(layer);
  const good = (list: readonly number[]) => {
    const at = list.findIndex((seconds) => seconds <= GOOD * grid.seconds);
    return at < 0 ? "never" : `${at + 1}`;
  };
  add("Tutel's search", tutel, {
    "trial steps": tutel.trials.length,
    "first good step": good(tutel.trials.map(({ seconds }) => seconds)),
  });
  for (const baseline of [await pipeMoeChoice(layer), await fsMoeChoice(layer)]) {
    add(baseline.name, baseline, { "trial steps": 0 });
  }
  // no more trials of a pass than Tutel has steps
  using fresh = createLayer(engine, config);
  const candidates = Math.max(1, Math.floor(tutel.trials.length / 2));
  fresh.auto = { profile, candidates, repeats: 2 };
  const steps: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const forward = await fresh.forward({ scheduler: "auto", results: false });
    const backward = await fresh.backward({ scheduler: "auto", results: false });
    steps.push(forward.makespan + backward.makespan);
  }
  const { log, forward, backward } = fresh.tuning;
  const trials = log.filter(({ event, pass }) => event === "trial" && pass === "backward").length;
  if (forward && backward) {
    add("auto", { forward, backward }, {
      "trial steps": trials,
      "first good step": good(steps),
    });
  }
  const tuned = await tune(layer, { profile });
  if (tuned.backward) {
    add("tune", { forward: tuned.forward, backward: tuned.backward }, {
      "trial steps": Math.ceil(tuned.made.runs / 2),
      "proven regret %": hundredths(100 * Math.max(tuned.regret.forward, tuned.regret.backward)),
    });
  }
  const { tokens, modelDim, hiddenDim, experts } = config;
  const times = await inTurn(layer, contenders, FINAL_RUNS);
  const best = median(times[0]);
  const rows = contenders.map(({ what, more, forward, backward }, i): Row => ({
    ...{ what, "ms a step": milliseconds(median(times[i])) },
    ...{ "over it": hundredths(median(times[i]) / best) },
    ...more,
    ...{ forward: candidateName(forward), backward: candidateName(backward) },
  }));
  return {
    configuration: {
      ...{ tokens, modelDim, hiddenDim, experts, topK: 2, world: "2 x 2" },
      ...{ engine: engine.timing, "final runs": FINAL_RUNS, good: `within ${GOOD} of the best` },
    },
    rows,
  };
}

/** Least medians of both passes over all combinations without a codec, each order once. */
async function bestOfGrid(layer: MoeLayer) {
  const { topology } = layer.layer;
  const first = await layer.forward({ results: false });
  const capacity = Number(first.configuration.capacity);
  const best = { seconds: 0, combinations: 0 };
  const chosen: { forward?: Candidate; backward?: Candidate } = {};
  for (const pass of ["forward", "backward"] as const) {
    const found = new Map<string, { seconds: number; choices: Candidate }>();
    for (const choices of candidatesOf(pass, { topology, capacity })) {
      const times: number[] = [];
      let order = "";
      for (let i = 0; i < GRID_RUNS && (i === 0 || !found.has(order)); i++) {
        const run = await layer[pass]({ ...choices, results: false });
        order = orderOf(run);
        times.push(run.makespan);
      }
      const known = found.get(order);
      if (!known) found.set(order, { seconds: Math.min(...times), choices });
    }
    const least = [...found.values()].reduce((a, b) => b.seconds < a.seconds ? b : a);
    best.seconds += least.seconds;
    chosen[pass] = least.choices;
    best.combinations = Math.max(best.combinations, found.size);
  }
  return { ...best, forward: chosen.forward!, backward: chosen.backward! };
}
