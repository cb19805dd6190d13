import type { Scheduler } from "./types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/**
 * The order that is written down: names of all tasks, such as `["gate", "dispatch", "A1[0]", ...]`.
 * Missing, double and early tasks are found when the Program is built.
 *
 * ```ts
 * import { createLayer, manual, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const order = ["gate", "dispatch", "A1[0]", "D1[0]", "E[0]", "C2[0]", "A2[0]", "combine"];
 * const run = await layer.forward({ scheduler: manual(order) });
 * console.assert(run.timeline.numRows() > 0);
 * ```
 * @throws {SchemoeError} (when it orders) naming a task that the graph does not have.
 */
export function manual(names: readonly string[]): Scheduler {
  if (!Array.isArray(names)) {
    throw new SchemoeError(
      `Cannot make the manual order: give an array of names of tasks, got ${quoted(names)}`,
    );
  }
  return {
    name: "manual",
    order({ tasks }) {
      const byName = new Map(tasks.map((task) => [task.name, task]));
      return names.map((name) => {
        const task = byName.get(name);
        if (task) return task;
        throw new SchemoeError(
          `Cannot order the tasks: there is none called "${name}" (there are ${
            [...byName.keys()].join(", ")
          })${didYouMean(name, byName.keys())}`,
        );
      });
    },
  };
}
