/** Passes that are run to be measured. @module */
import type { MoeLayer, Run } from "../layer/mod.ts";
import type { Measurement } from "./collect.ts";

/** Both passes of a layer in turn, as training runs them, the first run of each warming up. */
export async function passes(
  layer: MoeLayer,
  choices: NonNullable<Parameters<MoeLayer["forward"]>[0]>,
  repeats: number,
): Promise<Measurement[]> {
  const { expert } = layer.layer;
  const both = expert.inputGrad && expert.weightGrad
    ? ["forward", "backward"] as const
    : ["forward"] as const;
  const runs = both.map((): Run[] => []);
  for (let i = 0; i < repeats; i++) {
    for (const [at, pass] of both.entries()) {
      const bound = i === 0 ? { bound: true } : {};
      runs[at].push(await layer[pass]({ ...choices, results: false, ...bound }));
    }
  }
  return runs.flatMap(([first, ...others]) =>
    first.ran.map(({ program, alone }, i) => ({
      program,
      runs: others.map((run) => run.ran[i].events),
      ...(alone ? { alone } : {}),
    }))
  );
}
