/** Layers on a GPU beside PyTorch: times, and outputs and gradients compared. @module */
import { linear } from "../alltoall/mod.ts";
import { none } from "../compressors/mod.ts";
import { openCudaEngine } from "../engines/mod.ts";
import { ffn, swiglu } from "../experts/mod.ts";
import { backwardGraph, forwardGraph, gateGraph } from "../graph/mod.ts";
import { capacity as placesOf, capacitySlices, resolveLayer } from "../layer/mod.ts";
import { buildProgram } from "../program/mod.ts";
import { topology } from "../topology.ts";
import {
  type Engine,
  type EventTable,
  type Program,
  SchemoeError,
  type Workspace,
} from "../types.ts";
import { median, type Report, type Row } from "./bench_report.ts";
import { quiet } from "./command.ts";
import { flopsOf, GPU_SHAPES, type GpuShape } from "./gpu_shapes.ts";
import { makeBlock, writePattern } from "./gpu_pattern.ts";

const WARM_UP = 6;
const REPETITIONS = 20;
/** Capacity is rounded up to it: an even number of rows of 16 bytes everywhere. */
const ALIGNMENT = 8;
/** Values of a weight gradient that are compared. */
const COMPARED = 1 << 20;
const WEIGHT_SCALE = 0.02;

/** Median times of all shapes, of PyTorch eager and compiled, and how far the results are apart. */
export async function benchGpuLayers(): Promise<Report> {
  const folder = await Deno.makeTempDir();
  try {
    const block = makeBlock();
    await Deno.writeFile(`${folder}/block.f32`, new Uint8Array(block.buffer));
    const ours: Record<string, Row> = {};
    for (const shape of GPU_SHAPES) ours[shape.name] = await measure(shape, block, folder);
    await Deno.writeTextFile(`${folder}/shapes.json`, JSON.stringify(GPU_SHAPES));
    const peers = `${import.meta.dirname}/torch_peer.py`;
    const lines = (await quiet(["python3", peers, folder])).trim().split("\n").map((line) =>
      JSON.parse(line) as Record<string, number | string>
    );
    const ceilings = lines.find(({ peer }) => peer === "ceilings") ?? {};
    const rows = GPU_SHAPES.map((shape) => compared(shape, ours[shape.name], lines, ceilings));
    return {
      configuration: {
        gpu: String(ceilings.gpu ?? "unknown"),
        torch: String(ceilings.torch ?? "unknown"),
        dtype: "bfloat16",
        routing: "dropless, padded to the largest load",
        repetitions: REPETITIONS,
        copyTBs: Number(ceilings.copy_tbs),
        matmulTFLOPs: Number(ceilings.matmul_tflops),
      },
      rows,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Times one shape and writes its results to files. */
async function measure(shape: GpuShape, block: Float32Array, folder: string): Promise<Row> {
  const world = topology({ nodes: 1, ranksPerNode: 1 });
  using engine = openCudaEngine({ topology: world });
  const { name, expert, ...sizes } = shape;
  const layer = resolveLayer({
    ...sizes,
    ...{ capacityFactor: 0, capacityAlignment: ALIGNMENT, dtype: "bfloat16" },
    expert: expert === "swiglu" ? swiglu() : ffn({ activation: "relu", bias: false }),
  }, world);
  const workspace = engine.workspace();
  const { tokens, modelDim, experts } = shape;
  const fill = (buffer: string, count: number, offset: number, scale: number, f32 = false) =>
    writePattern(workspace, buffer, block, {
      count,
      offset,
      scale,
      dtype: f32 ? "float32" : "bfloat16",
    });
  fill("x", tokens * modelDim, 0, 1);
  fill("dy", tokens * modelDim, 1000, 1);
  fill("gate.weight", experts * modelDim, 2000, WEIGHT_SCALE, true);
  const parameters = layer.expert.parameters(shape);
  for (const [i, parameter] of parameters.entries()) {
    const count = experts * parameter.shape.reduce((a, b) => a * b, 1);
    fill(`experts.${parameter.name}`, count, 3000 + 1000 * i, WEIGHT_SCALE);
  }

  const inOrder = (graph: Program["graph"]) => buildProgram(graph, graph.tasks, "in order");
  await engine.run(inOrder(gateGraph(layer, {})), workspace);
  const load = new Int32Array(workspace.read("gate.capacity", 0, 4).buffer)[0];
  const capacity = placesOf(layer, load);
  const chunks = capacitySlices(1).split({ capacity, topology: world });
  const pass = {
    layer,
    capacity,
    chunks,
    allToAll: linear,
    compressor: { dispatch: none, combine: none },
  };
  const forward = inOrder(forwardGraph({ ...pass, configuration: {}, gate: true }));
  const backward = inOrder(backwardGraph({ ...pass, configuration: {}, forwardChunks: chunks }));
  const alone = await times(engine, workspace, [forward]);
  const both = await times(engine, workspace, [forward, backward]);

  const save = (buffer: string, bytes: number) =>
    Deno.writeFile(`${folder}/${file(name)}.${buffer}`, workspace.read(buffer, 0, bytes));
  for (const buffer of ["y", "grad.x"]) await save(buffer, 2 * tokens * modelDim);
  await save("grad.gate.weight", 4 * experts * modelDim);
  for (const parameter of parameters) await save(`grad.experts.${parameter.name}`, 2 * COMPARED);
  return {
    forward: alone.milliseconds,
    forwardBackward: both.milliseconds,
    wallForward: alone.wall,
    wallForwardBackward: both.wall,
    padding: (capacity * experts) / (tokens * shape.topK),
    parts: [...both.parts].map(([task, ms]) => `${task} ${ms.toFixed(3)}`).join(", "),
  };
}

const file = (name: string) => name.replaceAll("/", "-");

/** Median milliseconds on the GPU and by the clock of this process, and of each task. */
async function times(engine: Engine, workspace: Workspace, programs: readonly Program[]) {
  const gpu: number[] = [];
  const wall: number[] = [];
  const parts = new Map<string, number[]>();
  for (let i = 0; i < WARM_UP + REPETITIONS; i++) {
    const begin = performance.now();
    const ran: EventTable[] = [];
    for (const program of programs) ran.push(await engine.run(program, workspace));
    const end = performance.now();
    if (i < WARM_UP) continue;
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
  const round = (ms: number) => Math.round(ms * 1000) / 1000;
  return {
    milliseconds: round(median(gpu)),
    wall: round(median(wall)),
    parts: new Map([...parts].map(([key, list]) => [key, median(list)])),
  };
}

/** Our times beside those of the peers. */
function compared(
  shape: GpuShape,
  ours: Row,
  lines: readonly Record<string, number | string>[],
  ceilings: Record<string, number | string>,
): Row {
  const peer = (name: string) => {
    const found = lines.find((line) => line.shape === shape.name && line.peer === name);
    return found ?? {};
  };
  const [eager, compiled, errors] = ["eager", "compile", "errors"].map(peer);
  const best = (key: string) =>
    Math.min(...[eager, compiled].map((line) => Number(line[key] ?? Infinity)));
  const { forward, forwardBackward, parts, ...others } = ours;
  if (typeof forward !== "number" || typeof forwardBackward !== "number") {
    throw new SchemoeError(`Cannot compare shape "${shape.name}": it has no times`);
  }
  const ratio = (a: number, b: number) => Math.round((100 * a) / b) / 100;
  const rate = (ms: number, passes: number) =>
    ratio((passes * flopsOf(shape)) / ms / 1e9, Number(ceilings.matmul_tflops));
  const { shape: _shape, peer: _peer, ...differences } = errors;
  return {
    shape: shape.name,
    forward,
    forwardBackward,
    eagerForward: Number(eager.forward ?? NaN),
    eagerForwardBackward: Number(eager.forward_backward ?? NaN),
    compileForward: Number(compiled.forward ?? NaN),
    compileForwardBackward: Number(compiled.forward_backward ?? NaN),
    speedupForward: ratio(best("forward"), forward),
    speedupForwardBackward: ratio(best("forward_backward"), forwardBackward),
    ofMatmulForward: rate(forward, 1),
    ofMatmulForwardBackward: rate(forwardBackward, 3),
    ...others,
    errors: Object.entries(differences).map(([name, e]) => `${name} ${Number(e).toExponential(1)}`)
      .join(", "),
    parts,
  };
}
