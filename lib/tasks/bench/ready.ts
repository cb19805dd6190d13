/**
 * How soon a layer of real size is ready, how close a pass's wall time is to its makespan, how fast a gradient
 * is read, and how long the event loop is held meanwhile.
 * @module
 */
import { type LayerConfig, swiglu, topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { createLayer, type MoeLayer } from "../../layer/mod.ts";
import type { Engine } from "../../engine.ts";
import { median, milliseconds, type Report, type Row } from "./report.ts";

/** Passes after the first, of which the median counts. */
const REPEATS = 7;
/** Milliseconds between looks at the event loop. */
const TICK = 1;

/** A layer to be timed. */
export interface ReadyCase {
  readonly name: string;
  readonly config: LayerConfig;
  /** Gradient that is read. */
  readonly gradient: string;
}

/** 50 M parameters on the CPU engine. */
const CPU_CASE: ReadyCase = {
  name: "50 M parameters",
  config: {
    tokens: 256,
    modelDim: 1024,
    hiddenDim: 2048,
    experts: 8,
    gate: topK({ k: 2 }),
    expert: swiglu(),
  },
  gradient: "experts.w1",
};

/** A layer of 50 M parameters, SwiGLU, on 2 ranks of the CPU engine. */
export async function benchReady(): Promise<Report> {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  return {
    configuration: { engine: "cpu, 2 ranks, plain links", repeats: REPEATS },
    rows: [await timeLayer(engine, CPU_CASE)],
  };
}

/** Times one layer from its creation to reading a gradient. */
export async function timeLayer(
  engine: Engine,
  { name, config, gradient }: ReadyCase,
): Promise<Row> {
  using loop = new LoopWatch();
  const began = performance.now();
  using layer = createLayer(engine, config, { seed: 1 });
  await layer.ready();
  const ready = performance.now() - began;
  const first = await timed(() => layer.forward());
  const forward = await passes(layer, "forward");
  await timed(() => layer.backward());
  const backward = await passes(layer, "backward");
  const last = await layer.backward();
  const reading = performance.now();
  const values = await last.read(`grad.${gradient}`);
  const read = performance.now() - reading;
  const parameters = Object.values(layer.parameters)
    .reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return {
    layer: name,
    "M parameters": Math.round(parameters / 1e6),
    "ready ms": Math.round(ready),
    "first forward ms": hundredths(first.wall),
    ...named("forward", forward),
    ...named("backward", backward),
    "read M values": Math.round(values.length / 1e6),
    "read GB/s": hundredths(values.byteLength / read / 1e6),
    "loop held ms": hundredths(loop.longest),
    "peak MiB a rank": Math.round(layer.memory().peak / 2 ** 20),
  };
}

interface Timed {
  /** Milliseconds. */
  readonly wall: number;
  readonly makespan: number;
}

async function timed(run: () => Promise<{ readonly makespan: number }>): Promise<Timed> {
  const began = performance.now();
  const result = await run();
  const wall = performance.now() - began;
  // asked for afterwards: it makes the timeline
  return { wall, makespan: result.makespan * 1e3 };
}

/** The pass whose wall time is the median. */
async function passes(layer: MoeLayer, pass: "forward" | "backward"): Promise<Timed> {
  const runs: Timed[] = [];
  for (let i = 0; i < REPEATS; i++) runs.push(await timed(() => layer[pass]()));
  const middle = median(runs.map(({ wall }) => wall));
  return runs.find(({ wall }) => wall === middle)!;
}

const named = (pass: string, { wall, makespan }: Timed): Row => ({
  [`${pass} makespan ms`]: hundredths(makespan),
  [`${pass} wall ms`]: hundredths(wall),
});

const hundredths = (value: number): number => milliseconds(value / 1e3);

/** How long the event loop was held at most. */
class LoopWatch implements Disposable {
  longest = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.longest = Math.max(this.longest, now - last - TICK);
      last = now;
    }, TICK);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
