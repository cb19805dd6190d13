/** Times of a layer's passes on a GPU, and of their tasks. @module */
import { linear } from "../../alltoall/mod.ts";
import { capacity as placesOf, type Layer } from "../../blocks/mod.ts";
import { areEqual, largestLoad } from "../../chunking/loads.ts";
import { capacitySlices } from "../../chunking/mod.ts";
import { none } from "../../compressors/mod.ts";
import { backwardGraph, forwardGraph, gateGraph } from "../../graph/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import type { Engine, EventTable, Program, Workspace } from "../../engine.ts";
import type { Loads } from "../../types.ts";
import type { GpuShape } from "./gpu_shapes.ts";
import { median } from "./report.ts";

/**
 * Milliseconds of the same work before anything is timed, and the fewest passes: large products are faster
 * until the GPU reaches its power limit. The peers and the ceilings are warmed up alike.
 */
export const WARM_UP = 500;
const FEWEST_WARM_UPS = 6;
/** Passes of which the median counts. */
export const REPETITIONS = 20;
/** Passes whose Program is made anew, as for every routing of a dropless layer. */
const ANEW = 5;

/** A layer on an engine, its inputs and parameters written. */
export interface Ready {
  readonly engine: Engine;
  readonly workspace: Workspace;
  readonly layer: Layer;
}

/** Times of a layer, routed as its gate does. */
export async function timed(
  { engine, workspace, layer }: Ready,
  { tokens, topK, experts }: GpuShape,
) {
  const inOrder = (graph: Program["graph"]) => buildProgram(graph, graph.tasks, "in order");
  await engine.run(inOrder(gateGraph(layer, {})), workspace);
  const words = (buffer: string, count: number) =>
    new Int32Array(workspace.read(buffer, 0, 4 * count).buffer);
  const all: Loads | undefined = layer.dropless
    ? { ranks: 1, experts, table: words("gate.allLoads", experts) }
    : undefined;
  const most = all ? largestLoad(all) : words("gate.capacity", 1)[0];
  const loads = all && areEqual(all) ? undefined : all; // as a layer does it
  const capacity = placesOf(layer, most);
  const chunks = capacitySlices(1).split({ capacity, topology: layer.topology, loads });
  const pass = {
    layer,
    capacity,
    chunks,
    ...(loads ? { loads } : {}),
    allToAll: linear,
    compressor: { dispatch: none, combine: none },
    configuration: {},
  };
  const forward = () => inOrder(forwardGraph({ ...pass, gate: true }));
  const backward = inOrder(backwardGraph({ ...pass, forwardChunks: chunks }));
  const known = forward();
  const alone = await times(engine, workspace, [known]);
  const both = await times(engine, workspace, [known, backward]);
  const anew: number[] = [];
  for (let i = 0; i < ANEW; i++) {
    const begin = performance.now();
    // other loads are other objects
    if (loads) pass.loads = { ...loads };
    await engine.run(forward(), workspace);
    anew.push(performance.now() - begin);
  }
  return {
    forward: alone.milliseconds,
    forwardBackward: both.milliseconds,
    wallForward: alone.wall,
    wallForwardBackward: both.wall,
    wallForwardAnew: rounded(median(anew)),
    padding: all ? 1 : (capacity * experts) / (tokens * topK),
    parts: [...both.parts].map(([task, ms]) => `${task} ${ms.toFixed(3)}`).join(", "),
  };
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000;

/** Median milliseconds on the GPU and by the clock of this process, and of each task. */
async function times(engine: Engine, workspace: Workspace, programs: readonly Program[]) {
  const gpu: number[] = [];
  const wall: number[] = [];
  const parts = new Map<string, number[]>();
  const first = performance.now();
  for (let i = 0; gpu.length < REPETITIONS; i++) {
    const begin = performance.now();
    const ran: EventTable[] = [];
    for (const program of programs) ran.push(await engine.run(program, workspace));
    const end = performance.now();
    if (i < FEWEST_WARM_UPS || begin - first < WARM_UP) continue;
    wall.push(end - begin);
    gpu.push(
      ran.reduce((sum, events) => sum + events.end.reduce((a, b) => Math.max(a, b), 0), 0) / 1e6,
    );
    for (const [p, events] of ran.entries()) {
      for (const [at, task] of programs[p].order.entries()) {
        const key = `${task.pass === "forward" ? "f" : "b"}.${task.label}`;
        const list = parts.get(key) ?? [];
        parts.set(key, list);
        list.push((events.end[at] - events.start[at]) / 1e6);
      }
    }
  }
  return {
    milliseconds: rounded(median(gpu)),
    wall: rounded(median(wall)),
    parts: new Map([...parts].map(([key, list]) => [key, median(list)])),
  };
}
