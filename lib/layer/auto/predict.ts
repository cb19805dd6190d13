/** Candidates ranked by simulation. @module */
import {
  aCandidate,
  aFunction,
  aNumber,
  expect,
  listOf,
  oneOf,
  record,
} from "../../arguments/mod.ts";
import type { BackwardOptions, ForwardOptions } from "../layer_options.ts";
import type { Run } from "../run.ts";
import { resolveChoices } from "../resolve_choices.ts";
import type { Candidate } from "./grid.ts";
import { orderOf } from "./order_of.ts";

const RANK_CANDIDATES_PREDICTED = record("what runs passes, such as a layer of a simulator", {
  forward: aFunction,
  backward: aFunction,
});
const RANK_CANDIDATES_PASS = oneOf(["forward", "backward"]);
const RANK_CANDIDATES_CANDIDATES = listOf(aCandidate, "choices, such as those of candidatesOf");
const RANK_CANDIDATES_OPTIONS = record("an object { margin }", { margin: aNumber });

/** A layer that runs, or one that predicts. */
export interface PassRunner {
  /** Runs the forward pass. */
  forward(options?: ForwardOptions): Promise<Run>;
  /** Runs the backward pass of the last forward one. */
  backward(options?: BackwardOptions): Promise<Run>;
}

/** A candidate with its prediction. */
export interface Predicted {
  /** What was simulated. */
  readonly choices: Candidate;
  /** Predicted makespan. */
  readonly seconds: number;
  /** Below it no order of these tasks can come. */
  readonly bound: number;
  /** Whether this is the order of a candidate that was to be kept whatever is predicted. */
  readonly kept: boolean;
}

/** Candidates by predicted time, and those that need no simulation. */
export interface Ranking {
  /** Distinct orders, the fastest first. */
  readonly ranked: readonly Predicted[];
  /** Candidates whose bound is above the best prediction and its margin: no scheduler of them was tried. */
  readonly pruned: readonly { readonly choices: Candidate; readonly bound: number }[];
  /** Number of candidates that were simulated. */
  readonly simulated: number;
}

/**
 * Candidates that differ in the scheduler alone have one graph, and so one bound, unless the scheduler splits the pass
 * in its own way or lets weight gradients be added up in any order.
 */
function graphs(candidates: readonly Candidate[]): Candidate[][] {
  const found: Candidate[][] = [];
  for (const one of candidates) {
    const own = resolveChoices({ scheduler: one.scheduler }, []).scheduler;
    const alike = found.find(([first]) => {
      const { chunking, reassociate } =
        resolveChoices({ scheduler: first.scheduler }, []).scheduler;
      return first.allToAll === one.allToAll && first.compressor === one.compressor &&
        first.chunks === one.chunks && chunking === own.chunking &&
        (reassociate === true) === (own.reassociate === true);
    });
    if (alike) alike.push(one);
    else found.push([one]);
  }
  return found;
}

/**
 * Simulates candidates graph by graph, the one of least bound first; a graph whose bound is above the best prediction
 * by more than `margin` is left with the one scheduler that told its bound.
 * @param options.loads of a dropless layer, for the prediction of a forward pass.
 * @param options.keep candidates that are simulated whatever their bound.
 * @param options.each is told each candidate that was simulated, and awaited.
 */
export async function rankCandidates(
  predicted: PassRunner,
  pass: "forward" | "backward",
  candidates: readonly Candidate[],
  options: {
    readonly margin: number;
    readonly loads?: ForwardOptions["loads"];
    readonly keep?: (candidate: Candidate) => boolean;
    readonly each?: (candidate: Candidate) => Promise<void> | void;
  },
): Promise<Ranking> {
  expect("rankCandidates", "predicted", predicted, RANK_CANDIDATES_PREDICTED);
  expect("rankCandidates", "pass", pass, RANK_CANDIDATES_PASS);
  expect("rankCandidates", "candidates", candidates, RANK_CANDIDATES_CANDIDATES);
  expect("rankCandidates", "options", options, RANK_CANDIDATES_OPTIONS);
  const { margin, loads, keep = () => false, each } = options;
  const orders = new Map<string, Predicted>();
  let simulated = 0;
  const simulate = async (choices: Candidate): Promise<Predicted> => {
    simulated++;
    const given = pass === "forward" && loads ? { loads } : {};
    const run = await predicted[pass]({ ...choices, ...given, bound: true, results: false });
    const order = orderOf(run);
    const known = orders.get(order);
    const kept = keep(choices);
    const made = { choices, seconds: run.makespan, bound: run.bound ?? 0, kept };
    // one that is to be kept gives an order its name
    if (!known || kept && !known.kept) orders.set(order, made);
    await each?.(choices);
    return made;
  };
  const first: { graph: Candidate[]; told: Predicted }[] = [];
  for (const graph of graphs(candidates)) first.push({ graph, told: await simulate(graph[0]) });
  let best = Math.min(...first.map(({ told }) => told.seconds));
  const pruned: { choices: Candidate; bound: number }[] = [];
  for (const { graph, told } of first.toSorted((a, b) => a.told.bound - b.told.bound)) {
    for (const choices of graph.slice(1)) {
      const hopeless = told.bound > best * (1 + margin);
      if (hopeless && !keep(choices)) pruned.push({ choices, bound: told.bound });
      else best = Math.min(best, (await simulate(choices)).seconds);
    }
  }
  const ranked = [...orders.values()].toSorted((a, b) => a.seconds - b.seconds);
  return { ranked, pruned, simulated };
}
