/** What a soak does over and over. @module */
import { swiglu, topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { createLayer, type MoeLayer } from "../../layer/mod.ts";
import { uniforms } from "../../random.ts";
import type { Engine } from "../../engine.ts";

/** One kind of work, and how often it is done. */
export interface Phase {
  readonly name: string;
  readonly count: number;
  /** Begins; what is returned does it once, and is told the number. */
  begin(): { once(number: number): Promise<void>; end(): void };
}

/** How often each kind of work is done. */
export interface SoakCounts {
  readonly runs: number;
  readonly engines: number;
  readonly routings: number;
}

/** Those of a whole soak. */
export const WHOLE: SoakCounts = { runs: 100_000, engines: 2_000, routings: 10_000 };
/** Those of a test. */
export const SHORT: SoakCounts = { runs: 240, engines: 24, routings: 120 };

/** Every so many runs one goes backward, and results are read. */
const BACKWARD = 8;
/** Schedules and all-to-alls that take turns. */
const CHOICES = [
  {},
  { scheduler: "optSche", chunks: 2, allToAll: "pipe" },
  { scheduler: "criticalPath", chunks: 2, compressor: "int8" },
] as const;

const sizes = { tokens: 8, modelDim: 8, hiddenDim: 16, experts: 4, gate: topK({ k: 2 }) };
const open = (): Engine => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });

/** Passes of one layer: forward, and now and then backward with its gradients read. */
const runs = (count: number): Phase => ({
  name: "runs",
  count,
  begin() {
    const engine = open();
    const layer = createLayer(engine, sizes);
    return {
      async once(number) {
        const choices = CHOICES[Math.floor(number / BACKWARD) % CHOICES.length];
        if (number % BACKWARD !== BACKWARD - 1) return void await layer.forward(choices);
        const run = await layer.backward(choices);
        if (run.gradients!.x.some(Number.isNaN)) throw new Error(`run ${number} gave NaN`);
      },
      end: () => engine.close(),
    };
  },
});

/** Engines that are opened, run a layer and are closed, some by closing the layer first. */
const engines = (count: number): Phase => ({
  name: "engines",
  count,
  begin: () => ({
    async once(number) {
      using engine = open();
      const layer = createLayer(engine, { ...sizes, expert: number % 2 ? swiglu() : undefined });
      await layer.forward();
      if (number % 2) layer.close();
    },
    end() {},
  }),
});

/** Passes of a dropless layer, each with another routing, so that its rows are laid out anew. */
const routings = (count: number): Phase => ({
  name: "routings",
  count,
  begin() {
    const engine = open();
    const layer = createLayer(engine, { ...sizes, experts: 16, routing: { dropless: true } });
    const random = uniforms(1);
    return {
      once: (number) => anew(layer, random, number),
      end: () => engine.close(),
    };
  },
});

async function anew(layer: MoeLayer, random: () => number, number: number): Promise<void> {
  const x = new Float32Array(2 * sizes.tokens * sizes.modelDim).map(() => 2 * random() - 1);
  const choices = CHOICES[number % CHOICES.length];
  await layer.forward({ ...choices, x });
  if (number % BACKWARD === 0) await layer.backward(choices);
}

/** The phases of a soak, one after another. */
export const phasesOf = (counts: SoakCounts): readonly Phase[] => [
  runs(counts.runs),
  engines(counts.engines),
  routings(counts.routings),
];
