/** Whether one measured quantity would explain a table. @module */
import { aTopology, expect } from "../../arguments/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { Topology } from "../../types.ts";
import { Predictor } from "./predict.ts";
import { type Method, PUBLISHED } from "./published.ts";
import { slower } from "./tables.ts";
import { WORKLOADS } from "./workloads.ts";

/** The ablation under links that are slower by one factor. */
export interface AblationExplained {
  /** How many times longer all-to-alls would have to take for Naive to take what it took. */
  readonly factor: number;
  /**
   * Milliseconds of the four all-to-alls of Naive, and of all the rest: predicted, and as the steps Naive and ScheMoE-Z
   * need them where ZFP quarters the first, costs nothing and leaves the second as it is.
   */
  readonly naive: Record<
    "allToAlls" | "rest",
    { readonly predicted: number; readonly needed: number }
  >;
  /** A row for each method of the ablation, in milliseconds. */
  readonly rows: readonly {
    readonly method: Method;
    readonly measuredMs: number;
    /** From published numbers alone, and with the factor. */
    readonly predictedMs: number;
    readonly explainedMs: number;
  }[];
}

const METHODS: readonly Method[] = ["Naive", "ScheMoE-Z", "ScheMoE-ZP", "ScheMoE"];
const STEPS = 24;
/** Bytes of a value over one of ZFP's at 8 bits. */
const RATIO = 4;

/**
 * Finds the one factor on all links at which the first line of table 10 is exact, and says what the other three lines are
 * then: where they still miss, that quantity does not explain them. Not a prediction.
 */
export async function explainAblation(
  topology: Topology = testbed("2080ti-ib100").topology,
): Promise<AblationExplained> {
  expect("explainAblation", "topology", topology, aTopology);
  const milliseconds = async (method: Method, factor: number) => {
    const predictor = new Predictor(factor === 1 ? topology : slower(topology, factor));
    return 1e3 * (await predictor.step(WORKLOADS["ablation layer"], method)).seconds;
  };
  const measured = (method: Method) =>
    PUBLISHED.find((row) => row.table === 10 && row.method === method)!.milliseconds;
  let [low, high] = [0.25, 4];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (await milliseconds("Naive", middle) < measured("Naive")) low = middle;
    else high = middle;
  }
  const factor = (low + high) / 2;
  const rows = [];
  for (const method of METHODS) {
    rows.push({
      ...{ method, measuredMs: measured(method) },
      predictedMs: await milliseconds(method, 1),
      explainedMs: await milliseconds(method, factor),
    });
  }
  const { seconds, allToAlls } = await new Predictor(topology)
    .step(WORKLOADS["ablation layer"], "Naive");
  const needed = (measured("Naive") - measured("ScheMoE-Z")) * RATIO / (RATIO - 1);
  const naive = {
    allToAlls: { predicted: 1e3 * allToAlls, needed },
    rest: { predicted: 1e3 * (seconds - allToAlls), needed: measured("Naive") - needed },
  };
  return { factor, naive, rows };
}
