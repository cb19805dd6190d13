/** Ways to choose how a layer runs, and what each takes to come to its choice. @module */
import {
  type Baseline,
  fsMoeChoice,
  type MachineProfile,
  pipeMoeChoice,
  tune,
  tutelSearch,
} from "../../adaptive/mod.ts";
import {
  type AutoOptions,
  type Candidate,
  candidatesOf,
  MoeLayer,
  orderOf,
} from "../../layer/mod.ts";
import type { StepChoice } from "./in_turn.ts";

/** A step within this part of the best of the grid is good. */
export const GOOD = 1.03;
/** Training steps over which trials have to pay. */
export const STEPS = 100;
/** Runs of a grid's combination. */
const GRID_RUNS = 2;

/** What was chosen, and the steps of training that were spent on it. */
export interface Contender extends StepChoice {
  readonly what: string;
  /** Seconds of each trial step. */
  readonly steps: readonly number[];
  /** Seconds that choosing took beside training steps. */
  readonly seconds?: number;
}

/** The best of the grid first. */
export async function contendersOf(
  layer: MoeLayer,
  profile: MachineProfile,
): Promise<Contender[]> {
  const grid = await bestOfGrid(layer);
  const tutel = await tutelSearch(layer);
  const of = (
    { name, forward, backward, trials }: Baseline,
    steps = trials.map(({ seconds }) => seconds),
  ): Contender => ({
    ...{ what: name, steps },
    forward: { ...forward, compressor: "none" },
    backward: { ...backward, compressor: "none" },
  });
  const trials = tutel.trials.length;
  // Tutel's search runs each of its configurations once
  const equal = { trials, repeats: 1 };
  const told = tenTimesAsFast(profile);
  const begin = performance.now();
  const tuned = await tune(layer, { profile });
  return [
    grid,
    of(tutel),
    await auto(layer, `auto, ${trials} trials as Tutel's search`, { ...equal, profile }),
    await auto(layer, "auto, 24 trials", { profile }),
    await auto(layer, `auto, ${trials} trials, told links ten times as fast`, {
      ...{ ...equal, profile: told },
    }),
    await auto(layer, "auto, 24 trials, told links ten times as fast", { profile: told }),
    of(await pipeMoeChoice(layer)),
    of(await fsMoeChoice(layer)),
    {
      ...{ what: "tune", forward: tuned.forward, backward: tuned.backward ?? tuned.forward },
      ...{ steps: [], seconds: (performance.now() - begin) / 1e3 },
    },
  ];
}

/** A profile that is wrong about links: predictions by it hardly tell what overlap gains. */
function tenTimesAsFast(profile: MachineProfile): MachineProfile {
  const of = ({ alpha, beta }: MachineProfile["links"]["intra"]) => ({
    alpha: { ...alpha, value: alpha.value / 10 },
    beta: { ...beta, value: beta.value / 10 },
  });
  const { links } = profile;
  return { ...profile, links: { ...links, intra: of(links.intra), inter: of(links.inter) } };
}

/** Steps until both passes have chosen. */
async function auto(layer: MoeLayer, what: string, options: AutoOptions): Promise<Contender> {
  using fresh = new MoeLayer(layer.engine, layer.layer, layer.seed);
  fresh.auto = options;
  const steps: number[] = [];
  const begin = performance.now();
  while (!(fresh.tuning.forward && fresh.tuning.backward)) {
    const forward = await fresh.forward({ scheduler: "auto", results: false });
    const backward = await fresh.backward({ scheduler: "auto", results: false });
    steps.push(forward.makespan + backward.makespan);
  }
  const spent = steps.reduce((sum, seconds) => sum + seconds, 0);
  const { forward, backward } = fresh.tuning;
  const seconds = (performance.now() - begin) / 1e3 - spent;
  return { what, steps, seconds, forward, backward };
}

/** Least times of both passes over all combinations without a codec, each order once. */
async function bestOfGrid(layer: MoeLayer): Promise<Contender> {
  const { topology } = layer.layer;
  const first = await layer.forward({ results: false });
  const capacity = Number(first.configuration.capacity);
  const begin = performance.now();
  let combinations = 0;
  const best = async (pass: "forward" | "backward"): Promise<Candidate> => {
    const found = new Map<string, { seconds: number; choices: Candidate }>();
    for (const choices of candidatesOf(pass, { topology, capacity })) {
      const times: number[] = [];
      let order = "";
      for (let i = 0; i < GRID_RUNS && (i === 0 || !found.has(order)); i++) {
        const run = await layer[pass]({ ...choices, results: false });
        order = orderOf(run);
        times.push(run.makespan);
      }
      if (!found.has(order)) found.set(order, { seconds: Math.min(...times), choices });
    }
    combinations += found.size;
    return [...found.values()].reduce((a, b) => b.seconds < a.seconds ? b : a).choices;
  };
  const forward = await best("forward");
  // a backward pass is split as the forward one was
  await layer.forward({ ...forward, results: false });
  const backward = await best("backward");
  const seconds = (performance.now() - begin) / 1e3;
  return { what: `best of ${combinations} orders`, steps: [], seconds, forward, backward };
}
