/** Parts of a layer's passes, run without the rest: what computation and communication take alone. @module */
import { linear } from "../../alltoall/mod.ts";
import { none } from "../../compressors/mod.ts";
import { measuredCosts } from "../../costs/mod.ts";
import { backwardGraph, forwardGraph } from "../../graph/mod.ts";
import { capacity as placesOf, type Layer } from "../../blocks/mod.ts";
import { capacitySlices } from "../../chunking/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Compressor } from "../../compressors/types.ts";
import type { Costs } from "../../costs/types.ts";
import type { Engine, EventTable, Program, Workspace } from "../../engine.ts";
import type { Task, TaskGraph } from "../../types.ts";
import { median } from "./report.ts";
import { repeated } from "./values.ts";

const WARM_UP = 2;
const REPETITIONS = 5;
const ISOLATED = 2;
/** Values that are written at once: prime, so that the rows of a matrix differ. */
const BLOCK = 65_537;

/** The passes of a layer whose capacity is known, on an engine with values in all its tensors. */
export class LayerParts {
  readonly workspace: Workspace;
  readonly graphs: Readonly<Record<"forward" | "backward", TaskGraph>>;

  constructor(
    readonly engine: Engine,
    layer: Layer,
    options: { allToAll?: AllToAll; compressor?: Compressor; chunks?: number } = {},
  ) {
    const { allToAll = linear, compressor = none, chunks: count = 1 } = options;
    const capacity = placesOf(layer, 0);
    const chunks = capacitySlices(count).split({ capacity, topology: layer.topology });
    const pass = {
      layer,
      capacity,
      chunks,
      allToAll,
      configuration: {},
      compressor: { dispatch: compressor, combine: compressor },
    };
    this.graphs = {
      forward: forwardGraph({ ...pass, gate: true }),
      backward: backwardGraph({ ...pass, forwardChunks: chunks }),
    };
    this.workspace = engine.workspace();
    for (const graph of Object.values(this.graphs)) this.#fill(graph, layer);
  }

  /** Median seconds and the last events of what `keep` leaves of a pass; see {@linkcode onlyTasks}. */
  async time(
    pass: "forward" | "backward",
    keep: (task: Task) => boolean,
    options: { free?: boolean } = {},
  ): Promise<{ seconds: number; program: Program; events: EventTable }> {
    const graph = onlyTasks(this.graphs[pass], keep, options);
    const program = buildProgram(graph, graph.tasks, "in order");
    const ran: EventTable[] = [];
    for (let i = 0; i < WARM_UP + REPETITIONS; i++) {
      ran.push(await this.engine.run(program, this.workspace));
    }
    const times = ran.slice(WARM_UP).map(secondsOf);
    return { seconds: median(times), program, events: ran[ran.length - 1] };
  }

  /** Times of the tasks of a pass, each measured alone. */
  async alone(pass: "forward" | "backward"): Promise<Costs> {
    const graph = this.graphs[pass];
    const program = buildProgram(graph, graph.tasks, "in order");
    const runs: EventTable[] = [];
    for (let i = 0; i < ISOLATED; i++) {
      runs.push(await this.engine.run(program, this.workspace, { isolated: true }));
    }
    return measuredCosts(program, runs);
  }

  close(): void {
    this.workspace.free();
  }

  /** Numbers in the input, its gradient and the parameters; all else is computed. */
  #fill(graph: TaskGraph, layer: Layer): void {
    const size = layer.dtype === "bfloat16" ? 2 : 4;
    for (const [name, bytes] of Object.entries(graph.buffers)) {
      if (!/^(x|dy|gate\.weight|experts\.\w+)$/.test(name)) continue;
      this.workspace.ensure({ [name]: bytes });
      const wide = name === "gate.weight" || size === 4;
      const scale = name === "x" || name === "dy" ? 1 : 1 / Math.sqrt(layer.modelDim);
      for (let rank = 0; rank < layer.topology.ranks; rank++) {
        const block = pattern(name === "gate.weight" ? 0 : rank + 1, scale, wide);
        for (let at = 0; at < bytes; at += block.byteLength) {
          const part = block.subarray(0, Math.min(block.byteLength, bytes - at));
          this.workspace.write(name, rank, part, at);
        }
      }
    }
  }
}

/** Repeatable numbers, as float32 or as the upper halves of float32, which are bfloat16. */
function pattern(seed: number, scale: number, wide: boolean): Uint8Array {
  const values = repeated(BLOCK, seed, scale);
  if (wide) return new Uint8Array(values.buffer);
  const halves = new Uint16Array(values.buffer).filter((_, i) => i % 2 === 1);
  return new Uint8Array(halves.buffer);
}

/**
 * The graph with some of its tasks only. What came in between is left out: a task depends on those that
 * its old dependencies led to, or (`free`) on nothing, so that only the order of its lane holds it.
 */
export function onlyTasks(
  graph: TaskGraph,
  keep: (task: Task) => boolean,
  { free = false }: { free?: boolean } = {},
): TaskGraph {
  const ids = new Map<number, number>();
  const ways: number[][] = [];
  const tasks: Task[] = [];
  for (const task of graph.tasks) {
    const before = [
      ...new Set(task.after.flatMap((id) => ids.has(id) ? [ids.get(id)!] : ways[id])),
    ];
    ways[task.id] = before;
    if (!keep(task)) continue;
    ids.set(task.id, tasks.length);
    tasks.push(copyOf(task, tasks.length, free ? [] : before));
  }
  const { pass, chunks, topology, configuration, buffers, lives } = graph;
  return { pass, chunks, topology, configuration, buffers, lives, tasks };
}

function copyOf(task: Task, id: number, after: readonly number[]): Task {
  const { name, kind, label, pass, chunk, stage, lane, flops, kernels, transfers, layer } = task;
  const { bytes, traffic, uses } = task;
  return {
    id,
    name,
    kind,
    label,
    pass,
    chunk,
    stage,
    lane,
    after,
    flops,
    bytes,
    layer,
    kernels,
    transfers,
    ...(traffic ? { traffic } : {}),
    ...(uses ? { uses } : {}),
  };
}

/** Seconds from the start of a run to the end of its last operation. */
export const secondsOf = ({ end }: EventTable): number =>
  end.reduce((latest, time) => Math.max(latest, time), 0) * 1e-9;
