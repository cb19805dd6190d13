/** Kernels of the CUDA engine as fractions of the GPU's copy rate, and what a kernel costs the host. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import {
  activationGrad,
  combineRows,
  dispatchRows,
  fillSlots,
  glu,
  gluGrad,
  type Places,
  positions,
} from "../../kernels/mod.ts";
import type { Engine, Workspace } from "../../engine.ts";
import type { Kernel } from "../../types.ts";
import type { Matrix } from "../../kernels/types.ts";
import { at, copyBytes, programOf, rate, REPETITIONS, world } from "./gpu_rate.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";

const MIB = 1 << 20;
const COLUMNS = 4096;
const TOP_K = 2;
const EXPERTS = 8;

/** Rates of kernels that move rows of 4096 columns. */
export async function benchGpuKernels(): Promise<Report> {
  using engine = openCudaEngine({ topology: world });
  const rows: Row[] = [];
  for (const mib of [64, 256, 1024]) {
    const workspace = engine.workspace();
    workspace.ensure({ a: mib * MIB, b: mib * MIB });
    const copy = await rate(engine, workspace, 2 * mib * MIB, copyBytes(mib * MIB));
    const add = (kernel: string, dtype: string, tbs: number) =>
      rows.push({ kernel, dtype, mib, tbs: hundredths(tbs), ofCopy: hundredths(tbs / copy) });
    add("copy", "bytes", copy);
    for (const dtype of ["float32", "bfloat16"] as const) {
      const lines = (mib * MIB) / (COLUMNS * (dtype === "float32" ? 4 : 2));
      await routing(engine, workspace, { dtype, lines }, (kernel, tbs) => add(kernel, dtype, tbs));
    }
    fillRandom(workspace, mib);
    await elementwise(engine, workspace, { mib, add });
    workspace.free();
  }
  return {
    configuration: { columns: COLUMNS, topK: TOP_K, experts: EXPERTS, repetitions: REPETITIONS },
    rows: [...rows, ...await hostCosts(engine)],
  };
}

/** Elementwise kernels of an expert in bfloat16, each matrix half a buffer. */
async function elementwise(
  engine: Engine,
  workspace: Workspace,
  { mib, add }: { mib: number; add: (kernel: string, dtype: string, tbs: number) => void },
): Promise<void> {
  const bytes = (mib * MIB) / 2;
  const rows = bytes / (2 * COLUMNS);
  const matrix = (buffer: string, offset: number): Matrix => ({
    buffer,
    offset,
    dtype: "bfloat16",
    rows,
    columns: COLUMNS,
    ld: COLUMNS,
    groups: 1,
    stride: rows * COLUMNS,
  });
  const [a, b, y] = [matrix("a", 0), matrix("a", bytes), matrix("b", 0)];
  const list: [string, number, Kernel][] = [
    ["glu", 3, glu(a, b, y, "silu")],
    ["glu gradient", 5, gluGrad({ dy: y, a, b, da: a, db: b }, "silu")],
    ["relu gradient", 3, activationGrad(y, a, b, "relu")],
  ];
  for (const [kernel, matrices, call] of list) {
    add(kernel, "bfloat16", await rate(engine, workspace, matrices * bytes, call));
  }
}

/** Different values into `a`: zeros may be faster than others. */
function fillRandom(workspace: Workspace, mib: number): void {
  let state = 1;
  const values = Float32Array.from({ length: MIB / 4 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  for (let i = 0; i < mib; i++) workspace.write("a", 0, values, i * MIB);
}

/** Dispatch and combine of as many rows as a buffer has. */
async function routing(
  engine: Engine,
  workspace: Workspace,
  { dtype, lines }: { dtype: "float32" | "bfloat16"; lines: number },
  add: (kernel: string, tbs: number) => void,
): Promise<void> {
  const tokens = lines / TOP_K;
  const capacity = lines / EXPERTS;
  const choices = Int32Array.from(
    { length: lines },
    (_, i) => (i * 5 + Math.floor(i / 8)) % EXPERTS,
  );
  const weights = new Float32Array(lines).fill(0.5);
  for (const [name, data] of Object.entries({ choices, weights })) {
    workspace.ensure({ [name]: data.byteLength });
    workspace.write(name, 0, data);
  }
  workspace.ensure({ places: 4 * lines, slots: 4 * lines, loads: 4 * EXPERTS });
  const places: Places = {
    dtype,
    tokens,
    columns: COLUMNS,
    topK: TOP_K,
    experts: EXPERTS,
    chunks: [{ begin: 0, end: capacity }],
  };
  const views = { choices: at("choices"), positions: at("places"), slots: at("slots") };
  const route = positions({ tokens, experts: EXPERTS, topK: TOP_K }, {
    ...views,
    prioritized: false,
    scores: at("a"),
    loads: at("loads"),
  });
  await rate(engine, workspace, 1, route);
  await rate(engine, workspace, 1, fillSlots(places, views));
  const size = dtype === "float32" ? 4 : 2;
  const rowBytes = lines * COLUMNS * size;
  const dispatch = dispatchRows(places, { x: at("a"), slots: at("slots"), out: at("b") });
  // Each token is read once for each of its choices.
  add("dispatch", await rate(engine, workspace, 2 * rowBytes, dispatch));
  const combine = combineRows(places, {
    ...views,
    rows: at("b"),
    weights: at("weights"),
    y: at("a"),
  });
  add("combine", await rate(engine, workspace, rowBytes + rowBytes / TOP_K, combine));
}

/** Microseconds a tiny kernel takes, alone in its operation or many in one: host and GPU together. */
async function hostCosts(engine: Engine): Promise<Row[]> {
  const workspace = engine.workspace();
  workspace.ensure({ a: 1024, b: 1024 });
  const fill: Kernel = { name: "fill", args: [1, at("a"), 1] };
  const count = 2000;
  const many = new Array<Kernel>(count).fill(fill);
  const rows: Row[] = [];
  for (
    const [kernel, tasks] of [
      ["2000 fills in one operation", [many]],
      ["2000 fills in operations of their own", many.map((k) => [k])],
    ] as const
  ) {
    const program = programOf(tasks);
    const wall: number[] = [];
    const gpu: number[] = [];
    for (let i = 0; i < REPETITIONS; i++) {
      const begin = performance.now();
      const { end } = await engine.run(program, workspace);
      wall.push(1e3 * (performance.now() - begin) / count);
      gpu.push(end.at(-1)! / 1e3 / count);
    }
    rows.push({ kernel, wallUs: hundredths(median(wall)), gpuUs: hundredths(median(gpu)) });
  }
  const before = await memory();
  const program = programOf([[fill], [copyBytes(0)]]);
  for (let i = 0; i < 1000; i++) await engine.run(program, workspace);
  const after = await memory();
  rows.push({
    kernel: "1000 runs",
    gpuMiBMore: after.gpu - before.gpu,
    hostMiBMore: after.host - before.host,
  });
  return rows;
}

/** MiB in use on the GPU and by this process. */
async function memory(): Promise<{ gpu: number; host: number }> {
  const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
  const { stdout } = await new Deno.Command("nvidia-smi", { args: query }).output();
  return {
    gpu: Number(new TextDecoder().decode(stdout).split("\n")[0]),
    host: Math.round(Deno.memoryUsage().rss / MIB),
  };
}
