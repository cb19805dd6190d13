/** Cases of `verify`: read from their files, opened on an engine, run and compared. @module */
import type { Chunking } from "../../chunking/types.ts";
import type { Engine } from "../../engine.ts";
import { type EngineOptions, openEngine, type TransportOptions } from "../../engines/mod.ts";
import { dtypes } from "../../files/dtypes.ts";
import type { ElementType } from "../../kernels/types.ts";
import {
  corner,
  type GoldenCase,
  goldenErrors,
  largestError,
  parseGolden,
  repeatRanks,
  rmsError,
  runGolden,
} from "../../studies/golden.ts";
import {
  type GoldenTraining,
  isGoldenTraining,
  parseGoldenTraining,
} from "../../studies/golden_training.ts";
import { SchemoeError } from "../../types.ts";
import { trainingWithoutPadding, withoutPadding } from "../bench/without_padding.ts";
import { boundsOf } from "./bounds.ts";
import { checkTraining, trainingBound } from "./training_case.ts";

/** A layer, or a training run. */
export type VerifyCase = GoldenCase | GoldenTraining;

/** What of the options changes a case. */
export interface CaseOptions {
  readonly dtype: ElementType;
  readonly ranks?: number;
  readonly dropless: boolean;
}

/** The case of a file, on the ranks and of the type that are asked for. */
export async function caseOf(
  file: string,
  { dtype, ranks, dropless }: CaseOptions,
): Promise<VerifyCase> {
  const bytes = readFile(file);
  if (isGoldenTraining(bytes, file)) {
    if (ranks !== undefined) {
      throw new SchemoeError("Cannot verify a training run with --ranks");
    }
    const found = parseGoldenTraining(bytes, file);
    const golden = dropless ? trainingWithoutPadding(found) : found;
    return { ...golden, model: { ...golden.model, dtype } };
  }
  const found = parseGolden(bytes, file);
  const parsed = dropless ? withoutPadding(found) : found;
  const golden = ranks === undefined ? parsed : repeatRanks(parsed, ranks);
  return dtype === "float32" ? golden : await inBfloat16(golden);
}

/** An engine for a case. @throws {SchemoeError} when nodes do not divide its ranks, or it computes no values. */
export function openFor(
  golden: Pick<GoldenCase, "name" | "ranks">,
  given: { kind: string; nodes: number } & Partial<Record<keyof TransportOptions, unknown>>,
): Engine {
  const { kind, nodes } = given;
  if (golden.ranks % nodes !== 0) {
    throw new SchemoeError(
      `Cannot run the case "${golden.name}": ${nodes} nodes do not divide its ${golden.ranks} ranks`,
    );
  }
  const options = { ...given, ranksPerNode: golden.ranks / nodes } as EngineOptions;
  const engine = openEngine(
    kind === "simulate" ? options : { ...options, links: "plain", computation: "real" },
  );
  if (engine.computes) return engine;
  engine.close();
  throw new SchemoeError(`Cannot verify with the engine "${kind}": it computes times, no values`);
}

/**
 * The case with inputs that bfloat16 holds exactly, and what the CPU engine makes of them: rounding
 * alone may send a token to another expert, or open a unit of a ReLU, which is no error of an engine.
 */
async function inBfloat16(golden: GoldenCase): Promise<GoldenCase> {
  const rounded = new Map([...golden.tensors].map(([name, { shape, data }]) => {
    const bits = dtypes.BF16.encode(data) as Uint16Array<ArrayBuffer>;
    // What the gate computes with is float32 or int32 in every layer.
    const ofGate = name.startsWith("gate.") || name === "tokenIds";
    const exact = ofGate ? data : dtypes.BF16.decode(new Uint8Array(bits.buffer));
    return [name, { shape, data: exact }];
  }));
  const inputs = { ...golden, tensors: rounded };
  using engine = openFor(golden, { kind: "cpu", nodes: 1 });
  const results = await runGolden(engine, inputs, {});
  const expected = [...rounded].map(([name, { shape, data }]) => {
    const got = results.get(name);
    return [name, { shape, data: got ? corner(inputs, name, got) : data }] as const;
  });
  return { ...inputs, config: { ...golden.config, dtype: "bfloat16" }, tensors: new Map(expected) };
}

/** Choices of a run. */
export type Pass = Record<"scheduler" | "compressor", string> & {
  readonly chunks: Chunking;
  /** One of the two. */
  readonly allToAll?: string;
  readonly dispatch?: "node";
};

/** Runs a case and compares; `bounds` are those of its errors. */
export const runCase = (engine: Engine, golden: VerifyCase, pass: Pass) =>
  "config" in golden ? checkLayer(engine, golden, pass) : checkModel(engine, golden, pass);

/** Whether experts have no places without tokens. */
export const isDropless = (golden: VerifyCase): boolean =>
  "config" in golden
    ? golden.config.routing?.dropless === true
    : golden.model.layers.some((block) => "moe" in block && block.moe.routing?.dropless === true);

async function checkLayer(engine: Engine, golden: GoldenCase, pass: Pass) {
  const results = await runGolden(engine, golden, pass);
  const dtype = golden.config.dtype ?? "float32";
  const expert = golden.config.expert?.name ?? "";
  const bounds = boundsOf({ compressor: pass.compressor, dtype, expert });
  const errors = goldenErrors(golden, results, bounds.norm === "max" ? largestError : rmsError);
  return { dtype, bounds, errors, results };
}

async function checkModel(engine: Engine, golden: GoldenTraining, pass: Pass) {
  const optimizer = golden.model.optimizer?.name ?? "adamw";
  const { dtype = "float32" } = golden.model;
  const of = (tensor: string) => trainingBound(tensor, { engine: engine.kind, optimizer, dtype });
  const checked = await checkTraining(engine, golden, pass);
  return { dtype, bounds: { norm: "max" as const, of }, ...checked };
}

function readFile(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (cause) {
    throw new SchemoeError(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}
