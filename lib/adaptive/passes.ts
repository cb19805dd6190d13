/** Passes that are run to be measured. @module */
import type { MoeLayer, Run } from "../layer/mod.ts";
import type { Measurement } from "./collect.ts";

/** Both passes of a layer, the first run of each warming up. */
export async function passes(
  layer: MoeLayer,
  choices: NonNullable<Parameters<MoeLayer["forward"]>[0]>,
  repeats: number,
): Promise<Measurement[]> {
  const { expert } = layer.layer;
  const both = expert.inputGrad && expert.weightGrad
    ? ["forward", "backward"] as const
    : ["forward"] as const;
  const measured: Measurement[] = [];
  for (const pass of both) {
    const runs: Run[] = [];
    for (let i = 0; i < repeats; i++) {
      runs.push(
        await layer[pass]({ ...choices, results: false, ...(i === 0 ? { bound: true } : {}) }),
      );
    }
    for (const [i, { program, alone }] of runs[0].ran.entries()) {
      const later = runs.slice(1).map((run) => run.ran[i].events);
      measured.push({ program, runs: later, ...(alone ? { alone } : {}) });
    }
  }
  return measured;
}
