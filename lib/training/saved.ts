/** Comparisons that `bench curves` measured and wrote. @module */
import { aText, expect } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { TrainingComparison } from "./comparison.ts";
import { TrainingRun } from "./result.ts";
import type { ValidationRow } from "./step_row.ts";

/** A line of `deno task bench -- --engine cuda --json curves`. */
interface CurveLine {
  readonly bench: string;
  readonly codec: string;
  readonly seed: number;
  readonly step: number;
  /** Nats a token. */
  readonly validation: number;
  readonly tokensPerSecond: number;
  readonly seconds: number;
  readonly configuration: TrainingRun["configuration"];
}

/**
 * The comparison in such lines, with validation losses alone: its runs have no steps.
 *
 * ```ts
 * import { savedComparison } from "@schemoe/lab/training";
 * const file = new URL("notebooks/results/curves-h200.jsonl", `file://${Deno.cwd()}/`);
 * const compared = savedComparison(await Deno.readTextFile(file));
 * console.assert(compared.names.join() === "none,zfp8,int8,fp8" && compared.rows[0].seeds === 3);
 * ```
 * @param text JSON lines; those of other benchmarks are left out.
 * @throws {SchemoeError} when no line is of `curves`.
 */
export function savedComparison(text: string): TrainingComparison {
  expect("savedComparison", "text", text, aText);
  const lines = text.split("\n").filter((line) => line.trim() !== "")
    .map(parsed).filter(({ bench }) => bench === "curves");
  if (lines.length === 0) {
    throw new SchemoeError("Cannot read the comparison: there is no line of the benchmark curves");
  }
  const runs = Map.groupBy(lines, ({ codec, seed }) => `${codec} ${seed}`);
  return new TrainingComparison(
    [...runs.values()].map((own) => {
      const { codec: name, seed, configuration, seconds, tokensPerSecond } = own[0];
      const validations = own.map(({ step, validation }): ValidationRow => ({
        step,
        loss: validation,
      })).toSorted((a, b) => a.step - b.step);
      const speeds = [{ step: validations.at(-1)!.step, tokensPerSecond }];
      const history = { steps: [], speeds, validations, seconds };
      return { name, seed, run: new TrainingRun({ name, configuration, history }) };
    }),
  );
}

function parsed(line: string): CurveLine {
  try {
    return Object(JSON.parse(line));
  } catch (cause) {
    throw new SchemoeError(
      `Cannot read the comparison: ${quoted(line.slice(0, 80))} is not a line of JSON`,
      { cause },
    );
  }
}
