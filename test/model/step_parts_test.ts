import { assertEquals, assertStrictEquals } from "@std/assert";
import { linear, swiglu, topology } from "../../mod.ts";
import { none } from "../../lib/compressors/mod.ts";
import { ffn, topK } from "../../lib/blocks/mod.ts";
import { paddedPlaces } from "../../lib/chunking/slot_loads.ts";
import { resolveModel } from "../../lib/model/config.ts";
import { lossGraph, stepGraph } from "../../lib/model/step_graph.ts";
import type { StepOptions } from "../../lib/model/step_options.ts";
import { StepParts } from "../../lib/model/step_parts.ts";
import { modelTensors } from "../../lib/model/tensors.ts";
import type { TaskGraph } from "../../lib/types.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });
const moe = {
  experts: 4,
  hiddenDim: 16,
  expert: swiglu(),
  gate: topK({ k: 2 }),
  routing: { capacityFactor: 0 },
};

/** All that a graph says, as text. */
const text = (graph: TaskGraph): string =>
  JSON.stringify([
    graph.buffers,
    graph.lives,
    graph.tasks.map((task) => ({
      ...task,
      bytes: task.bytes,
      ...{ kernels: task.kernels?.(1), transfers: task.transfers?.(1), traffic: undefined },
    })),
  ]);

for (const microbatches of [1, 2]) {
  Deno.test(`stepGraph() of ${microbatches} microbatches is the same from parts of earlier graphs, whatever their rows`, () => {
    const shape = resolveModel({
      ...{ vocabulary: 32, context: 8, batch: 2, modelDim: 16, microbatches },
      attention: { heads: 2 },
      layers: [{ moe }, { ffn: { hiddenDim: 24, expert: ffn() } }, { moe }],
    }, world);
    const tensors = modelTensors(shape);
    const options = (places: number, parts?: StepParts): StepOptions => ({
      allToAll: linear,
      compressor: { dispatch: none, combine: none },
      configuration: {},
      dispatch: "choice",
      rowsOf: (block) => {
        const layer = shape.layers[block];
        if (!("moe" in layer)) throw new Error(`block ${block} has no experts`);
        const chunks = [{ begin: 0, end: places }];
        return { rows: paddedPlaces(layer.moe, places), chunks };
      },
      ...(parts ? { parts } : {}),
    });
    const parts = new StepParts(tensors);
    const made = [3, 5, 3].map((places) => stepGraph(shape, tensors, options(places, parts)));
    const loss = lossGraph(shape, tensors, options(5, parts));
    assertEquals(text(made[0]), text(stepGraph(shape, tensors, options(3))));
    assertEquals(text(made[1]), text(stepGraph(shape, tensors, options(5))));
    assertEquals(text(made[2]), text(made[0]));
    assertEquals(text(loss), text(lossGraph(shape, tensors, options(5))));
  });
}

Deno.test("StepParts.get() makes a part once", () => {
  const shape = resolveModel({
    ...{ vocabulary: 32, context: 8, batch: 2, modelDim: 16, attention: { heads: 2 } },
    layers: [{ moe }],
  }, world);
  const parts = new StepParts(modelTensors(shape));
  const made = () => ({ segments: [], squares: [] });
  assertStrictEquals(parts.get("head.", made), parts.get("head.", made));
});
