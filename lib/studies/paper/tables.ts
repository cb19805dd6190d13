/** The paper's tables, predicted, with the error beside each entry. @module */
import { testbed } from "../../testbeds/mod.ts";
import type { Topology } from "../../types.ts";
import { Predictor } from "./predict.ts";
import { PUBLISHED, type Published } from "./published.ts";
import { WORKLOADS } from "./workloads.ts";

/** One entry of a table. */
export interface PaperRow extends Published {
  /** From published alpha and beta alone, nothing fitted. */
  readonly predictedMs: number;
  /** Signed: predicted over measured, less 1. */
  readonly error: number;
  /** The same when all-to-alls are as slow as table 1 says they were: not a prediction, an explanation. */
  readonly explainedMs: number;
  /** `explainedMs` over the measured time, less 1. */
  readonly explainedError: number;
  /** The choice of a method that searches. */
  readonly chosen: string;
}

/** All tables, and how many times longer all-to-alls take in table 1 than the published fit says. */
export interface PaperTables {
  /** Entries in the order in which they are printed. */
  readonly rows: readonly PaperRow[];
  /** Measured over predicted time of table 1's all-to-alls, mean of its models. */
  readonly slowdown: number;
}

/** Table 1's all-to-alls over predicted ones, mean of its four models. */
async function slowdownOfTable1(predictor: Predictor): Promise<number> {
  const rows = PUBLISHED.filter(({ table, what }) => table === 1 && what === "all-to-alls");
  let sum = 0;
  for (const { workload, method, milliseconds } of rows) {
    const { allToAlls } = await predictor.step(WORKLOADS[workload], method);
    sum += milliseconds / (allToAlls * 1e3);
  }
  return sum / rows.length;
}

/** A world whose links between ranks take longer by a factor. */
export function slower(topology: Topology, factor: number): Topology {
  const { intra, inter, local } = topology.links;
  const times = ({ alpha, beta }: typeof intra) => ({ alpha: alpha * factor, beta: beta * factor });
  return { ...topology, links: { intra: times(intra), inter: times(inter), local } };
}

/**
 * Tables 1, 7, 8 and 10 with two predictions each. Steps are those of the Mixture-of-Experts layers alone:
 * attention, embeddings, optimizer and the reduction of dense gradients are not described in the paper.
 */
export async function paperTables(
  topology: Topology = testbed("2080ti-ib100").topology,
): Promise<PaperTables> {
  const predictor = new Predictor(topology);
  const slowdown = await slowdownOfTable1(predictor);
  const explainer = new Predictor(slower(topology, slowdown));
  const rows: PaperRow[] = [];
  for (const entry of PUBLISHED) {
    const of = async (by: Predictor) => {
      const found = await by.step(WORKLOADS[entry.workload], entry.method);
      const ms = 1e3 * (entry.what === "step" ? found.seconds : found.allToAlls);
      return { ms, error: ms / entry.milliseconds - 1, chosen: found.chosen };
    };
    const [predicted, explained] = [await of(predictor), await of(explainer)];
    rows.push({
      ...entry,
      predictedMs: predicted.ms,
      error: predicted.error,
      chosen: predicted.chosen,
      explainedMs: explained.ms,
      explainedError: explained.error,
    });
  }
  return { rows, slowdown };
}
