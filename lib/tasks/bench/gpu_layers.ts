/** Layers on a GPU beside PyTorch: their results in files, which PyTorch compares. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import { resolveLayer, topK } from "../../blocks/mod.ts";
import { ffn, swiglu } from "../../blocks/experts/mod.ts";
import { topology } from "../../topology.ts";
import { quiet } from "../build/command.ts";
import { compared, type Form, FORMS } from "./gpu_layer_comparison.ts";
import { REPETITIONS, timed, WARM_UP } from "./gpu_layer_times.ts";
import { makeBlock, writePattern } from "./gpu_pattern.ts";
import { GPU_SHAPES, type GpuShape, named, PUBLISHED_SHAPES } from "./gpu_shapes.ts";
import type { Report, Row } from "./report.ts";

/** Capacity is rounded up to it: an even number of rows of 16 bytes everywhere. */
const ALIGNMENT = 8;
/** Values of a weight gradient that are compared. */
const COMPARED = 1 << 20;
const WEIGHT_SCALE = 0.02;

/** Shapes that one process of PyTorch is started for: its start and its ceilings take some seconds. */
const TOGETHER = 3;

/** Layers of many sizes, or those of these names. */
export const benchGpuLayers = (names?: readonly string[]): AsyncIterable<Report> =>
  reports(named(GPU_SHAPES, names));

/** Layers of SonicMoE's figure 14, or those of these names, with its published rates beside ours. */
export const benchGpuFineLayers = (names?: readonly string[]): AsyncIterable<Report> =>
  reports(named(PUBLISHED_SHAPES, names));

/** A report of a few shapes after another, so that what was measured is not lost with what comes later. */
async function* reports(shapes: readonly GpuShape[]): AsyncGenerator<Report> {
  for (let i = 0; i < shapes.length; i += TOGETHER) {
    yield await benchShapes(shapes.slice(i, i + TOGETHER));
  }
}

/** Median times of shapes, of PyTorch eager and compiled, and how far the results are apart. */
async function benchShapes(shapes: readonly GpuShape[]): Promise<Report> {
  const folder = await Deno.makeTempDir();
  try {
    const block = makeBlock();
    await Deno.writeFile(`${folder}/block.f32`, new Uint8Array(block.buffer));
    const ours: { shape: GpuShape; form: Form; row: Row }[] = [];
    for (const shape of shapes) ours.push(...await measure(shape, block, folder));
    const asked = shapes.map((shape) => ({ ...shape, forms: FORMS }));
    await Deno.writeTextFile(`${folder}/shapes.json`, JSON.stringify(asked));
    const peers = `${import.meta.dirname}/torch_peer.py`;
    const output = await quiet(["python3", peers, folder, String(WARM_UP)]);
    // libraries may print lines of their own
    const lines = output.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, number | string>);
    const ceilings = lines.find(({ peer }) => peer === "ceilings") ?? {};
    const scattermoe = lines.find(({ peer }) => peer === "scattermoe about") ?? {};
    const rows = ours.map((one) => compared(one, lines, ceilings));
    return {
      configuration: {
        gpu: String(ceilings.gpu ?? "unknown"),
        torch: String(ceilings.torch ?? "unknown"),
        scattermoe: String(scattermoe.version ?? scattermoe.absent ?? "unknown"),
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

const file = ({ name }: GpuShape, form: Form) => `${name.replaceAll("/", "-")}.${form}`;
