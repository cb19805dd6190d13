/** Training runs beside each other, each with several seeds. @module */
import type { PassChoices } from "../layer/mod.ts";
import type { MoeModel } from "../model/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { TrainingComparison } from "./comparison.ts";
import type { TrainingData } from "./data.ts";
import type { TrainOptions } from "./options.ts";
import type { TrainingRun } from "./result.ts";
import { train } from "./train.ts";

/** Runs to compare, and the options of `train` that they share. */
export interface CompareTrainingOptions extends Omit<TrainOptions, "data" | "checkpoint" | "name"> {
  /** Choices of each run by name, such as `{ none: {}, int8: { compressor: "int8" } }`. */
  readonly runs: Readonly<Record<string, PassChoices>>;
  /** Each run is made once for each; default [1, 2, 3]. */
  readonly seeds?: readonly number[];
  /** Data of all runs, or of each seed, so that sequences come in other orders too. */
  readonly data: TrainingData | ((seed: number) => TrainingData);
  /** Folder of the checkpoints, NAME-SEED.safetensors, from which an interrupted comparison resumes. */
  readonly folder?: string;
  /** Is called with each run that is done. */
  readonly onRun?: (run: TrainingRun, at: { readonly name: string; readonly seed: number }) => void;
}

/**
 * Trains a fresh model for each run and seed: does a codec, a gate or an all-to-all change what is learnt by more
 * than another seed does?
 *
 * ```ts
 * import { createModel } from "@schemoe/lab/model";
 * import { openEngine } from "@schemoe/lab/engines";
 * import { compareTraining, textData } from "@schemoe/lab/training";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const data = textData("to be, or not to be, that is the question. ".repeat(40));
 * const config = {
 *   vocabulary: data.vocabulary, context: 16, batch: 4, modelDim: 16, attention: { heads: 2 },
 *   layers: [{ moe: { experts: 4, hiddenDim: 16 } }], rate: 0.01,
 * };
 * const compared = await compareTraining((seed) => createModel(engine, config, { seed }), {
 *   data, steps: 10, seeds: [1, 2], runs: { none: {}, int8: { compressor: "int8" } },
 * });
 * console.assert(compared.rows.length === 2 && compared.rows[1].seeds === 2);
 * compared; // a cell's last value: curves with a band over seeds, and a table
 * ```
 * @param make makes the model of a seed and of a run's name; it is closed after its run.
 * @throws {SchemoeError} for a wrong option, and as `train` does.
 */
export async function compareTraining(
  make: (seed: number, name: string) => MoeModel,
  options: CompareTrainingOptions,
): Promise<TrainingComparison> {
  const { runs, seeds = [1, 2, 3], data, folder, onRun, ...shared }: CompareTrainingOptions =
    Object(
      options,
    );
  check({ make, runs, seeds });
  if (folder !== undefined) await Deno.mkdir(folder, { recursive: true });
  const done: { name: string; seed: number; run: TrainingRun }[] = [];
  for (const seed of seeds) {
    for (const [name, choices] of Object.entries(runs)) {
      using model = make(seed, name);
      const run = await train(model, {
        ...shared,
        ...choices,
        name,
        data: typeof data === "function" ? data(seed) : data,
        ...(folder === undefined ? {} : { checkpoint: `${folder}/${name}-${seed}.safetensors` }),
      });
      done.push({ name, seed, run });
      onRun?.(run, { name, seed });
    }
  }
  return new TrainingComparison(done);
}

function check({ make, runs, seeds }: {
  readonly make: unknown;
  readonly runs: unknown;
  readonly seeds: unknown;
}): void {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot compare training runs: ${problem}`);
  };
  if (typeof make !== "function") fail(`give a function that makes a model, got ${quoted(make)}`);
  if (typeof runs !== "object" || runs === null || Object.keys(runs).length === 0) {
    fail(`runs must be an object such as { none: {}, int8: { compressor: "int8" } }`);
  }
  for (const [name, choices] of Object.entries(runs)) {
    if (typeof choices === "object" && choices !== null) continue;
    fail(`the choices of "${name}" must be like { compressor: "int8" }, got ${quoted(choices)}`);
  }
  const distinct = Array.isArray(seeds) && new Set(seeds).size === seeds.length;
  if (!distinct || seeds.length === 0 || !seeds.every(Number.isSafeInteger)) {
    fail(`seeds must be a list of different integers, got ${quoted(seeds)}`);
  }
}
