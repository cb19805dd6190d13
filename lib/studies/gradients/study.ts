/** Whether the gradients of a layer are those of its output. @module */
import { aMoeLayer, checkFields, expect } from "../../arguments/mod.ts";
import { allTokens } from "../../blocks/mod.ts";
import { type MoeLayer, randomNormal } from "../../layer/mod.ts";
import type { PassChoices } from "../../layer/choices.ts";
import { uniforms } from "../../random.ts";
import { median } from "../../profile/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { type GradientRow, GradientStudy } from "./result.ts";

const OPTIONS = ["chunks", "choices", "directions", "step", "seed"];

/** Options of {@linkcode gradientStudy}. */
export interface GradientStudyOptions {
  /** Numbers of chunks, each compared for itself; default 1 and 2. */
  readonly chunks?: readonly number[];
  /** Choices of all passes, such as scheduler and all-to-all. A codec's rounding is an error here. */
  readonly choices?: Omit<PassChoices, "chunks">;
  /** Directions in which each tensor is moved, of which the median counts; default 5. */
  readonly directions?: number;
  /** How far, relative to the root mean square of its values; default 1e-3. */
  readonly step?: number;
  /** Of the input, the gradient of the output and the directions; default 1. */
  readonly seed?: number;
}

/**
 * Compares the gradients of a layer with differences of its output: for each tensor it moves all elements up or down at
 * random by a small step, and back, and compares the change of sum(output * dy), with the losses in it, with what the
 * gradient says. It is for experts, gates, losses and codecs of one's own, of which one cannot see whether their
 * backward pass belongs to their forward pass, or whether gradients of several chunks are added up.
 *
 * A choice of experts that changes within the step is a jump that no gradient has: tokens whose output moves far more than
 * that of others are left out (`leftOut`), their dy being 0. In float32 right gradients agree within some 2 %. Parameters are put back; input and gradient of the output are random and stay, and the updates
 * of gates without a gradient have run.
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * import { gradientStudy } from "@schemoe/lab/studies";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });
 * using layer = createLayer(engine, { tokens: 16, modelDim: 8, hiddenDim: 16, experts: 4, gate: topK({ k: 2 }) });
 * const study = await gradientStudy(layer, { chunks: [1, 4] });
 * console.assert(study.wrong.length === 0, `${study}`);
 * ```
 * @throws {SchemoeError} on an engine that computes nothing, for a layer in bfloat16, in which such small steps are
 * rounded away, and for unknown options.
 */
export async function gradientStudy(
  layer: MoeLayer,
  options: GradientStudyOptions = {},
): Promise<GradientStudy> {
  expect("gradientStudy", "layer", layer, aMoeLayer);
  checkFields(options, OPTIONS, { what: "options", fail });
  const { chunks = [1, 2], choices = {}, directions = 5, step = 1e-3, seed = 1 } = options;
  if (!Array.isArray(chunks) || chunks.length === 0) {
    fail(`chunks must be a list of numbers, got ${quoted(chunks)}`);
  }
  if (!Number.isSafeInteger(directions) || directions < 1) {
    fail(`directions is ${quoted(directions)}, not an integer from 1 on`);
  }
  if (!(typeof step === "number" && step > 0 && step < 1)) {
    fail(`step is ${quoted(step)}, not a number between 0 and 1`);
  }
  if (!Number.isSafeInteger(seed)) fail(`seed is ${quoted(seed)}, not an integer`);
  if (!layer.engine.computes) fail(`the engine "${layer.engine.kind}" computes no values`);
  if (layer.layer.dtype !== "float32") {
    fail(`the layer is in ${layer.layer.dtype}, which rounds the steps away; make it in float32`);
  }
  const size = allTokens(layer.layer) * layer.layer.modelDim;
  const [x, dy] = [randomNormal(size, { seed }), randomNormal(size, { seed: seed + 1 })];
  const rows: GradientRow[] = [];
  const dims = layer.layer.modelDim;
  let leftOut = 0;
  for (const count of chunks) {
    const pass = { ...choices, chunks: count, bound: false, results: true };
    const run = async (given: Float32Array): Promise<Outcome> => {
      const { output, auxLoss } = await layer.forward({ ...pass, x: given });
      return { y: output!, loss: auxLoss?.reduce((sum, loss) => sum + loss, 0) ?? 0 };
    };
    const base = await run(x);
    const names = Object.keys((await layer.backward({ ...pass, dy })).gradients!);
    const random = uniforms(seed + 2);
    const moves: Move[] = [];
    for (const tensor of names) {
      const values = tensor === "x" ? x : layer.get(tensor);
      const far = step * (length(values) / Math.sqrt(values.length) || 1);
      for (let i = 0; i < directions; i++) {
        const signs = Float32Array.from(values, () => random() < 0.5 ? -1 : 1);
        const moved = async (by: number): Promise<Outcome> => {
          const there = values.map((value, at) => value + by * signs[at]);
          if (tensor === "x") return await run(there);
          layer.set({ [tensor]: there });
          return await run(x);
        };
        const [up, down] = [await moved(far), await moved(-far)];
        const ofTokens = tokenSums(dims, (at) => (up.y[at] - down.y[at]) * dy[at], size);
        const jumps = new Set([...jumping(up.y, base.y, dims), ...jumping(down.y, base.y, dims)]);
        moves.push({ tensor, far, signs, ofTokens, jumps, losses: up.loss - down.loss });
      }
      if (tensor !== "x") layer.set({ [tensor]: values });
    }
    const jumped = new Set(moves.flatMap(({ jumps }) => [...jumps]));
    leftOut = Math.max(leftOut, jumped.size);
    const kept = dy.map((value, at) => jumped.has(Math.floor(at / dims)) ? 0 : value);
    const rounding = ROUNDING * length((await run(x)).y);
    const { gradients } = await layer.backward({ ...pass, dy: kept });
    for (const tensor of names) {
      const gradient = gradients![tensor];
      const of = moves.filter((move) => move.tensor === tensor);
      const calm = of.filter(({ jumps }) => jumps.size === 0);
      const found = (calm.length ? calm : of).map(({ signs, far, ofTokens, losses }) => {
        const change = ofTokens.reduce((sum, d, t) => jumped.has(t) ? sum : sum + d, losses);
        const said = dot(gradient, signs);
        const difference = change / (2 * far);
        const off = Math.abs(said - difference);
        // what rounding makes of a gradient that is 0 is no error
        return { difference: Math.abs(difference), off: off <= rounding / far ? 0 : off };
      });
      const norm = length(gradient);
      const off = median(found.map((one) => one.off));
      const most = median(found.map(({ difference }) => difference));
      rows.push({ tensor, chunks: count, norm, error: off === 0 ? 0 : off / Math.max(norm, most) });
    }
  }
  return new GradientStudy(rows, leftOut);
}

/** What a forward pass gives. */
interface Outcome {
  readonly y: Float32Array;
  readonly loss: number;
}

/** A step of a tensor up and down, and what it changed. */
interface Move {
  readonly tensor: string;
  readonly far: number;
  readonly signs: Float32Array;
  /** Of sum(output * dy), by token. */
  readonly ofTokens: Float64Array;
  /** Tokens whose output jumped. */
  readonly jumps: ReadonlySet<number>;
  readonly losses: number;
}

/** How many times further than others the output of a token moves that jumped. */
const JUMP = 10;

/** Tokens whose outputs moved much further than those of others: they chose other experts. */
function jumping(there: Float32Array, here: Float32Array, dims: number): number[] {
  const far = tokenSums(dims, (at) => (there[at] - here[at]) ** 2, here.length);
  const moved = far.filter((d) => d > 0);
  if (moved.length === 0) return [];
  const most = JUMP ** 2 * median([...moved]);
  return [...far.keys()].filter((token) => far[token] > most);
}

/** Sums over the columns of each token. */
function tokenSums(dims: number, of: (at: number) => number, length: number): Float64Array {
  return Float64Array.from({ length: length / dims }, (_, token) => {
    let sum = 0;
    for (let at = token * dims; at < (token + 1) * dims; at++) sum += of(at);
    return sum;
  });
}

/** Of a sum of float32 values, relative to the root of the sum of their squares. */
const ROUNDING = 2 ** -22;

const dot = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);
const length = (values: Float32Array): number => Math.sqrt(dot(values, values));

function fail(problem: string): never {
  throw new SchemoeError(`Cannot study gradients: ${problem}`);
}
