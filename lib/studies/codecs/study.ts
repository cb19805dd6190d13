/** Accuracy lost and time saved by codecs. @module */
import * as compressors from "../../compressors/mod.ts";
import { BUILT_IN, type LayerPasses, MoeLayer, Run } from "../../layer/mod.ts";
import type { Compressor } from "../../compressors/types.ts";
import { commonText, worldText } from "../../timeline/chart/facts.ts";
import { SchemoeError } from "../../types.ts";
import { type CodecData, codecRows, repeatRows } from "./data.ts";
import { valueError } from "./error.ts";
import { CodecStudy } from "./result.ts";
import { checkFields } from "../../arguments/mod.ts";
import { checkGrid } from "../../layer/auto/check_grid.ts";
import { quoted, unawaited } from "../../words.ts";

const OPTIONS = ["codecs", "data", "x", "dy", "choices", "repetitions"];

/** Options of {@linkcode codecStudy}. */
export interface CodecStudyOptions {
  /** Names of built-in codecs or codecs of one's own; default all built-in ones. */
  readonly codecs?: readonly (Compressor | string)[];
  /**
   * What input and gradient of the output are made of: `normal`, `outliers` (one column in a hundred 20 times as
   * large), or rows, such as those of {@linkcode dispatchedRows}, for the input beside a normal gradient. Default: what
   * the layer has.
   */
  readonly data?: CodecData | Float32Array;
  /** Input of all ranks, [ranks, tokens, modelDim]; default what `data` says. */
  readonly x?: Float32Array;
  /** Gradient of the output, likewise. */
  readonly dy?: Float32Array;
  /** Choices of all runs, such as scheduler, all-to-all and chunks. */
  readonly choices?: Omit<NonNullable<Parameters<MoeLayer["forward"]>[0]>, "x" | "compressor">;
  /** Runs of each codec, the fastest of which counts; default 1. */
  readonly repetitions?: number;
}

/**
 * Runs a layer forward and backward under each codec, in both exchanges, and compares output and gradients with
 * those without a codec (float32, or bfloat16 where the layer is). Times are of this machine; a codec is worth
 * its error only where the link is what one waits for.
 *
 * Given a run of a layer, forward or backward, it studies that layer with what it holds now (parameters and input)
 * under the scheduler, all-to-all and chunks of the run.
 *
 * ```ts
 * import { codecStudy } from "@schemoe/lab/studies";
 * import { createLayer, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1 });
 * using layer = createLayer(engine, { tokens: 32, modelDim: 64, hiddenDim: 64, experts: 4 });
 * const [bf16, fp8] = await codecStudy(layer, { codecs: ["bf16", "fp8"] });
 * console.assert(bf16.bits === 16 && bf16.output.rmse < fp8.output.rmse);
 * ```
 * Of a layer whose expert is forward only it runs the forward pass.
 *
 * As a cell's last value it shows errors against time, and a table.
 *
 * @throws {SchemoeError} on an engine that computes nothing, for unknown codecs, and for a run that is none of a layer.
 */
export async function codecStudy(
  of: MoeLayer | Run,
  options: CodecStudyOptions = {},
): Promise<CodecStudy> {
  checkFields(options, OPTIONS, { what: "options", fail });
  const { codecs = BUILT_IN.compressor, data, choices = {}, repetitions = 1, ...given } = options;
  if (!Array.isArray(codecs)) fail(`codecs is ${quoted(codecs)}, not a list`);
  const isCodec = (codec: unknown) =>
    typeof codec === "string" || typeof (codec as Compressor)?.wireBytes === "function";
  const odd = codecs.findIndex((codec) => !isCodec(codec));
  if (odd >= 0) fail(`codecs has ${quoted(codecs[odd])}, not a compressor or the name of one`);
  checkGrid(codecs.length > 0 ? { compressors: codecs } : {}, fail, { compressors: "codecs" });
  if (choices.scheduler === "auto") {
    fail('with the scheduler "auto" each pass may run by other choices; name a scheduler');
  }
  if (!Number.isSafeInteger(repetitions) || repetitions < 1) {
    fail(`repetitions is ${quoted(repetitions)}, not from 1 on`);
  }
  const { passes: layer, choices: chosen } = subjectOf(of);
  const columns = layer.layer.modelDim;
  const { x, dy } = { ...dataOf(layer, data), ...given };
  const both = async (compressor: Compressor | string): Promise<Passes> => {
    const options = { ...chosen, ...choices, compressor };
    const forward = await layer.forward({ ...options, ...(x ? { x } : {}) });
    const output = forward.output?.slice();
    if (!output) {
      throw new SchemoeError("Cannot study codecs: the layer's engine computes no values");
    }
    if (!layer.layer.expert.inputGrad || !layer.layer.expert.weightGrad) {
      return { output, gradients: {}, runs: [forward] };
    }
    const backward = await layer.backward({ ...options, ...(dy ? { dy } : {}) });
    const gradients = Object.fromEntries(
      Object.entries(backward.gradients!).map(([name, values]) => [name, values.slice()]),
    );
    return { output, gradients, runs: [forward, backward] };
  };
  const right = await both("none");
  const rows = new CodecStudy();
  const configurations: Run["configuration"][] = [];
  for (const codec of codecs) {
    const times: number[] = [];
    let last = right;
    for (let i = 0; i < repetitions; i++) {
      last = await both(codec);
      times.push(last.runs.reduce((sum, { makespan }) => sum + makespan, 0));
    }
    const { output, gradients, runs } = last;
    configurations.push(runs[0].configuration);
    const known = typeof codec === "string"
      ? (compressors as unknown as Record<string, Compressor>)[codec]
      : codec;
    const wire = known.wireBytes({ rows: 64, columns, groups: [64] });
    rows.push({
      codec: known.name,
      bits: 8 * wire / (64 * columns),
      makespan: Math.min(...times),
      ...rate("encodeRate", "compress", runs),
      ...rate("decodeRate", "decompress", runs),
      output: valueError(output, right.output, columns),
      gradients: Object.fromEntries(
        Object.entries(right.gradients).map((
          [name, values],
        ) => [name, valueError(gradients[name], values, columns)]),
      ),
    });
  }
  const values = typeof data === "string" ? data : x ? "given" : "those of the layer";
  rows.facts = [
    commonText(configurations),
    worldText(layer.layer.topology, layer.engine.timing),
    `rows ${values} · the fastest of ${repetitions} ${repetitions === 1 ? "run" : "runs"}`,
  ];
  return rows;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot study codecs: ${problem}`);
}

/** The layer that is studied, and what a run of it chose. */
function subjectOf(
  of: MoeLayer | Run,
): { readonly passes: LayerPasses; readonly choices: NonNullable<CodecStudyOptions["choices"]> } {
  if (of instanceof MoeLayer) return { passes: of, choices: {} };
  if (!(of instanceof Run)) {
    fail(`give a layer or a run of one, got ${quoted(of)}${unawaited(of)}`);
  }
  if (!of.setup) {
    throw new SchemoeError(
      `Cannot study codecs: the run "${of.name}" is none of a layer; give the layer, or for rows of a model ` +
        "data: await dispatchedRows(model, tokens)",
    );
  }
  const { passes, choices: { scheduler, allToAll, chunking, dispatch } } = of.setup;
  return { passes, choices: { scheduler, allToAll, chunks: chunking, dispatch } };
}

/** Input and gradient of the output that are made of some data. */
function dataOf(layer: LayerPasses, data: CodecStudyOptions["data"]) {
  if (data === undefined) return {};
  const { tokens, rankTokens, modelDim: columns, topology: { ranks } } = layer.layer;
  const count = columns * (rankTokens?.reduce((sum, n) => sum + n, 0) ?? ranks * tokens);
  const made = (seed: number, name: CodecData) => codecRows(name, { count, columns, seed });
  return data instanceof Float32Array
    ? { x: repeatRows(data, { count, columns }), dy: made(2, "normal") }
    : { x: made(1, data), dy: made(2, data) };
}

interface Passes {
  readonly output: Float32Array;
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly runs: readonly Run[];
}

/** Bytes a nanosecond of the tasks of a kind. */
function rate(name: string, kind: string, runs: readonly Run[]): Record<string, number> {
  let [bytes, time] = [0, 0];
  for (const { timeline } of runs) {
    for (const row of timeline.objects() as Record<string, string & number>[]) {
      if (row.kind !== kind) continue;
      bytes += row.bytes;
      time += row.end_ns - row.start_ns;
    }
  }
  return time > 0 ? { [name]: bytes / time } : {};
}
