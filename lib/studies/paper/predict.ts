/** Times of the paper's workloads from published alpha and beta alone. @module */
import { capacity } from "../../blocks/capacity.ts";
import { modelCosts } from "../../costs/mod.ts";
import { openSimulator } from "../../engines/mod.ts";
import { createLayer } from "../../layer/create_layer.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { Topology } from "../../types.ts";
import { METHODS } from "./methods.ts";
import type { Method } from "./published.ts";
import type { Workload } from "./workloads.ts";

/** Predicted time of a step. */
export interface Predicted {
  /** Forward and backward of all Mixture-of-Experts layers, nothing else. */
  readonly seconds: number;
  /** The same time of their all-to-alls if nothing overlapped: each on its slowest rank. */
  readonly allToAlls: number;
  /** Which of a method's choices it is. */
  readonly chosen: string;
}

/** Makes predictions on one cluster; equal questions are answered once. */
export class Predictor {
  readonly #known = new Map<string, Promise<Predicted>>();

  /**
   * Predictions on one cluster.
   * @param topology default ScheMoE's testbed with its published fits.
   */
  constructor(readonly topology: Topology = testbed("2080ti-ib100").topology) {}

  /** Forward and backward of all layers of a workload, by the best of the choices that a method has. */
  step({ layers, layer }: Workload, method: Method): Promise<Predicted> {
    const { tokens, modelDim, hiddenDim, routing } = layer;
    const key = [method, tokens, modelDim, hiddenDim, routing?.capacityFactor].join();
    let one = this.#known.get(key);
    if (!one) this.#known.set(key, one = this.#layer(layer, method));
    return one.then(({ seconds, allToAlls, chosen }) => ({
      seconds: layers * seconds,
      allToAlls: layers * allToAlls,
      chosen,
    }));
  }

  async #layer(config: Workload["layer"], method: Method): Promise<Predicted> {
    using engine = openSimulator(this.topology, { representatives: true });
    const layer = createLayer(engine, config);
    const costs = modelCosts(this.topology, { representatives: engine.representatives });
    let best: Predicted | undefined;
    const places = capacity(layer.layer, 0);
    for (const choices of METHODS[method]) {
      if (Number(choices.chunks ?? 1) > places && choices.scheduler !== "fasterMoE") continue;
      const runs = [
        await layer.forward({ ...choices, bound: false }),
        await layer.backward({ ...choices, bound: false }),
      ];
      const seconds = runs.reduce((sum, { makespan }) => sum + makespan, 0);
      if (best && best.seconds <= seconds) continue;
      let allToAlls = 0;
      for (const task of runs.flatMap(({ ran }) => ran.flatMap(({ program }) => program.order))) {
        if (task.kind === "allToAll") allToAlls += costs.seconds(task);
      }
      const { allToAll, chunks = 1 } = choices;
      const chosen = `${allToAll}, ${chunks} ${chunks === 1 ? "chunk" : "chunks"}`;
      best = { seconds, allToAlls, chosen };
    }
    return best!;
  }
}
