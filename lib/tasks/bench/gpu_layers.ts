/** Layers on a GPU beside PyTorch: times, and outputs and gradients compared. @module */
import { linear } from "../../alltoall/mod.ts";
import { none } from "../../compressors/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import { ffn, swiglu } from "../../blocks/experts/mod.ts";
import { backwardGraph, forwardGraph, gateGraph } from "../../graph/mod.ts";
import { capacity as placesOf, type Layer, resolveLayer, topK } from "../../blocks/mod.ts";
import { capacitySlices } from "../../chunking/mod.ts";
import { areEqual, largestLoad } from "../../chunking/loads.ts";
import { buildProgram } from "../../program/mod.ts";
import { topology } from "../../topology.ts";
import type { Engine, EventTable, Program, Workspace } from "../../engine.ts";
import { type Loads, SchemoeError } from "../../types.ts";
import { median, type Report, type Row } from "./report.ts";
import { quiet } from "../build/command.ts";
import { floorsOf, printFloors } from "./gpu_floors.ts";
import {
  flopsOf,
  GPU_SHAPES,
  type GpuShape,
  PUBLISHED_SHAPES,
  type PublishedShape,
} from "./gpu_shapes.ts";
import { makeBlock, writePattern } from "./gpu_pattern.ts";

/**
 * Milliseconds of the same work before anything is timed, and the fewest passes: large products are faster
 * until the GPU reaches its power limit. The peers and the ceilings are warmed up alike.
 */
const WARM_UP = 500;
const FEWEST_WARM_UPS = 6;
const REPETITIONS = 20;
/** Passes whose Program is made anew, as for every routing of a dropless layer. */
const ANEW = 5;
/** Whether experts are padded to the largest load. */
const FORMS = ["padded", "dropless"] as const;
type Form = typeof FORMS[number];
/** Capacity is rounded up to it: an even number of rows of 16 bytes everywhere. */
const ALIGNMENT = 8;
/** Values of a weight gradient that are compared. */
const COMPARED = 1 << 20;
const WEIGHT_SCALE = 0.02;

/** Layers of many sizes. */
export const benchGpuLayers = (): Promise<Report> => benchShapes(GPU_SHAPES);

/** Layers of SonicMoE's figure 14, with its published rates beside ours. */
export const benchGpuFineLayers = (): Promise<Report> => benchShapes(PUBLISHED_SHAPES);

/** Median times of shapes, of PyTorch eager and compiled, and how far the results are apart. */
export async function benchShapes(shapes: readonly GpuShape[]): Promise<Report> {
  const folder = await Deno.makeTempDir();
  try {
    const block = makeBlock();
    await Deno.writeFile(`${folder}/block.f32`, new Uint8Array(block.buffer));
    const ours: { shape: GpuShape; form: Form; row: Row }[] = [];
    for (const shape of shapes) ours.push(...await measure(shape, block, folder));
    const asked = shapes.map((shape) => ({ ...shape, forms: FORMS }));
    await Deno.writeTextFile(`${folder}/shapes.json`, JSON.stringify(asked));
    const peers = `${import.meta.dirname}/torch_peer.py`;
    const lines = (await quiet(["python3", peers, folder, String(WARM_UP)])).trim().split("\n").map(
      (line) => JSON.parse(line) as Record<string, number | string>,
    );
    const ceilings = lines.find(({ peer }) => peer === "ceilings") ?? {};
    const rows = ours.map((one) => compared(one, lines, ceilings));
    return {
      configuration: {
        gpu: String(ceilings.gpu ?? "unknown"),
        torch: String(ceilings.torch ?? "unknown"),
        dtype: "bfloat16",
        routing: "no token dropped; padded to the largest load, or unpadded rows",
        warmUpMs: WARM_UP,
        repetitions: REPETITIONS,
        copyTBs: Number(ceilings.copy_tbs),
        matmulTFLOPs: Number(ceilings.matmul_tflops),
        matmulTFLOPsAtFirst: Number(ceilings.matmul_tflops_at_first),
      },
      rows,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Times one shape in both forms and writes their results to files. */
async function measure(shape: GpuShape, block: Float32Array, folder: string) {
  const world = topology({ nodes: 1, ranksPerNode: 1 });
  using engine = openCudaEngine({ topology: world });
  const { expert, topK: k, tokens, modelDim, hiddenDim, experts } = shape;
  const layerOf = (form: Form) =>
    resolveLayer({
      tokens,
      modelDim,
      hiddenDim,
      experts,
      gate: topK({ k }),
      dtype: "bfloat16",
      ...(form === "dropless"
        ? { routing: { dropless: true } }
        : { routing: { capacityFactor: 0, capacityAlignment: ALIGNMENT } }),
      expert: expert === "swiglu" ? swiglu() : ffn({ activation: "relu", bias: false }),
    }, world);
  const workspace = engine.workspace();
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
  const parameters = layerOf("padded").expert.parameters(shape);
  for (const [i, parameter] of parameters.entries()) {
    const count = experts * parameter.shape.reduce((a, b) => a * b, 1);
    fill(`experts.${parameter.name}`, count, 3000 + 1000 * i, WEIGHT_SCALE);
  }

  const rows: { shape: GpuShape; form: Form; row: Row }[] = [];
  for (const form of FORMS) {
    const at = { engine, workspace, layer: layerOf(form) };
    const row = await timed(at, shape);
    const save = (buffer: string, bytes: number) =>
      Deno.writeFile(`${folder}/${file(shape, form)}.${buffer}`, workspace.read(buffer, 0, bytes));
    for (const buffer of ["y", "grad.x"]) await save(buffer, 2 * tokens * modelDim);
    await save("gate.choices", 4 * tokens * shape.topK);
    await save("grad.gate.weight", 4 * experts * modelDim);
    for (const parameter of parameters) await save(`grad.experts.${parameter.name}`, 2 * COMPARED);
    rows.push({ shape, form, row });
  }
  return rows;
}

/** A layer on an engine, its inputs and parameters written. */
interface Ready {
  readonly engine: Engine;
  readonly workspace: Workspace;
  readonly layer: Layer;
}

/** Times of a layer, routed as its gate does. */
async function timed({ engine, workspace, layer }: Ready, { tokens, topK, experts }: GpuShape) {
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

const file = ({ name }: GpuShape, form: Form) => `${name.replaceAll("/", "-")}.${form}`;
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

/** TFLOP/s of the experts' products without padding, and as shares of what is published of the shape. */
function publishedRates(shape: GpuShape, forward: number, both: number): Row {
  const { published } = shape as Partial<PublishedShape>;
  if (!published) return {};
  const rate = (ms: number, passes: number) => (passes * flopsOf(shape)) / ms / 1e9;
  const ofBoth = 3 / (1 / published.forward + 2 / published.backward);
  const share = (ours: number, theirs: number) => Math.round((100 * ours) / theirs) / 100;
  return {
    forwardTFLOPs: Math.round(rate(forward, 1)),
    forwardBackwardTFLOPs: Math.round(rate(both, 3)),
    ofPublishedForward: share(rate(forward, 1), published.forward),
    ofPublishedForwardBackward: share(rate(both, 3), ofBoth),
  };
}

/** Our times beside those of the peers. */
function compared(
  { shape, form, row: ours }: { shape: GpuShape; form: Form; row: Row },
  lines: readonly Record<string, number | string>[],
  ceilings: Record<string, number | string>,
): Row {
  const peer = (name: string) =>
    lines.find((line) =>
      line.shape === shape.name && line.peer === name && (line.form ?? form) === form
    ) ?? {};
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
  const { shape: _shape, peer: _peer, form: _form, flipped, gap, ...differences } = errors;
  const floors = floorsOf(shape, {
    rows: shape.tokens * shape.topK * Number(ours.padding),
    copyTBs: Number(ceilings.copy_tbs),
    matmulTFLOPs: Number(ceilings.matmul_tflops),
  });
  return {
    shape: shape.name,
    form,
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
    ...publishedRates(shape, forward, forwardBackward),
    flippedTokens: Number(flipped ?? NaN),
    flippedGap: Number(gap ?? NaN),
    errors: Object.entries(differences).map(([name, e]) => `${name} ${Number(e).toExponential(1)}`)
      .join(", "),
    parts,
    floors: printFloors(floors),
  };
}
