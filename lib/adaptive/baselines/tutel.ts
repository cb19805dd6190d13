/** Tutel's own search. @module */
import { aMoeLayer, expect, record, something } from "../../arguments/mod.ts";
import { TUTEL } from "../../layer/auto/baselines.ts";
import type { Run } from "../../layer/mod.ts";
import type { Baseline, Choices, StepLayer, TrialStep } from "./types.ts";

const STEP_SECONDS_CHOICES = record("choices of both passes { forward, backward }", {
  forward: something,
  backward: something,
});

/**
 * The configuration that Tutel finds for itself (Hwang et al., "Tutel", MLSys'23, section 3.3): live training steps try
 * degrees 1, 2, 4 and 8 over the linear and the two-level all-to-all, one step each, by a ternary search over the degree;
 * forward and backward have one degree.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { tutelSearch } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
 * const { trials, forward } = await tutelSearch(layer);
 * console.assert(trials.length <= 8 && forward.scheduler === "tutel");
 * ```
 */
export async function tutelSearch(layer: StepLayer): Promise<Baseline> {
  expect("tutelSearch", "layer", layer, aMoeLayer);
  const trials: TrialStep[] = [];
  const first = await layer.forward({ results: false });
  const capacity = Number(first.configuration.capacity);
  const degrees = TUTEL.degrees.filter((degree) => degree <= capacity);
  for (const allToAll of TUTEL.allToAlls) {
    const known = new Map<number, number>();
    const at = async (i: number) => {
      const found = known.get(i);
      if (found !== undefined) return found;
      const choices = { scheduler: TUTEL.scheduler, allToAll, chunks: degrees[i] };
      const seconds = await stepSeconds(layer, { forward: choices, backward: choices });
      known.set(i, seconds);
      trials.push({ forward: choices, backward: choices, seconds });
      return seconds;
    };
    let [low, high] = [0, degrees.length - 1];
    while (low < high) {
      const third = Math.floor((high - low) / 3);
      const [a, b] = [low + third, Math.max(low + third + 1, high - third)];
      if (await at(a) <= await at(b)) high = b - 1;
      else low = a + 1;
    }
    await at(low);
  }
  const best = trials.reduce((a, b) => b.seconds < a.seconds ? b : a);
  return { name: "Tutel", forward: best.forward, backward: best.backward, trials };
}

/** Seconds of a training step of one layer: forward and backward. */
export async function stepSeconds(
  layer: StepLayer,
  choices: { readonly forward: Choices; readonly backward: Choices },
): Promise<number> {
  expect("stepSeconds", "layer", layer, aMoeLayer);
  expect("stepSeconds", "choices", choices, STEP_SECONDS_CHOICES);
  const { forward, backward } = choices;
  const runs: Run[] = [
    await layer.forward({ ...forward, results: false }),
    await layer.backward({ ...backward, results: false }),
  ];
  return runs.reduce((sum, { makespan }) => sum + makespan, 0);
}
