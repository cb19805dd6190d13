/**
 * Runs reference cases forward and backward and prints the largest error of each tensor.
 *
 * usage: deno task verify FILE.safetensors... [--engine cpu|cuda] [--nodes N] [--ranks N]
 *   [--scheduler NAME|all] [--all-to-all NAME|all] [--compressor NAME] [--chunks N] [--chunking capacity|peers]
 *   [--dtype bfloat16] [--dropless] [--transport copy|nccl] [--copy-by kernels|engines] [--emulate-nodes]
 *   [--gpus N | --devices LIST] [--digest] [--summary] [--json]
 *
 * With one `--chunking`, all schedulers and all-to-alls give the same bits; the two differ by rounding.
 * `--digest` shows it: each line gets a hash of all result tensors. `--summary` prints one line for all
 * schedulers and all-to-alls of a case, with their largest errors and all hashes there were. `--ranks`
 * repeats the ranks of a case (those of its file are few) and multiplies gradients accordingly. `--dropless` computes cases whose
 * capacity comes from the routing without padding (of others it would compute tokens that they drop).
 * `--gpus N` puts the ranks of a case in blocks on the first N GPUs, `--devices 0,1` names the GPU of each.
 * @module
 */
import { parseArgs } from "node:util";
import { type EngineOptions, openEngine, type TransportOptions } from "../engines/mod.ts";
import { capacitySlices, peerGroups } from "../chunking/mod.ts";
import { dtypes } from "../files/dtypes.ts";
import { BUILT_IN } from "../layer/choices.ts";
import {
  type GoldenCase,
  goldenErrors,
  parseGolden,
  repeatRanks,
  runGolden,
} from "../studies/golden.ts";
import { type Chunking, type ElementType, type Engine, SchemoeError } from "../types.ts";
import { argumentProblem, positive, taskArguments } from "./build/command.ts";
import { devicesOf, parseDevices } from "./bench/devices_option.ts";
import { goldenDigest } from "./verify/golden_digest.ts";
import { lineOf, summaryOf, type VerifyResult, type VerifySummary } from "./verify/report.ts";
import { withoutPadding } from "./bench/without_padding.ts";

/** Largest relative error that passes without a codec, by the layer's type (bfloat16: from the CPU engine). */
const TOLERANCE = { float32: 1e-5, bfloat16: 2e-2 } as const;
const USAGE =
  "usage: deno task verify FILE.safetensors... [--engine cpu|cuda] [--nodes N] [--ranks N] " +
  "[--scheduler NAME|all] [--all-to-all NAME|all] [--compressor NAME] [--chunks N] [--chunking capacity|peers] " +
  "[--dtype bfloat16] [--dropless] [--transport copy|nccl] [--copy-by kernels|engines] [--emulate-nodes] " +
  "[--gpus N | --devices LIST] [--digest] [--summary] [--json]";

async function main(args: readonly string[]): Promise<boolean> {
  const { values, positionals } = options(args);
  if (positionals.length === 0) throw new SchemoeError(`No files given; ${USAGE}`);
  const dtype = typeNamed(values.dtype);
  const places = parseDevices(values);
  const cases: GoldenCase[] = [];
  for (const file of positionals) {
    const found = parseGolden(readFile(file), file);
    const parsed = values.dropless ? withoutPadding(found) : found;
    const golden = values.ranks === undefined
      ? parsed
      : repeatRanks(parsed, positive("ranks", values.ranks));
    cases.push(dtype === "float32" ? golden : await inBfloat16(golden));
  }
  const print = (result: VerifyResult | VerifySummary) =>
    console.log(values.json ? JSON.stringify(result, finite) : lineOf(result));
  let passed = true;
  for (const golden of cases) {
    const results: VerifyResult[] = [];
    const given = {
      ...(values.transport === undefined ? {} : { transport: values.transport }),
      ...(values["copy-by"] === undefined ? {} : { copyBy: values["copy-by"] }),
    };
    const devices = devicesOf(places, golden.ranks);
    using engine = open(golden, {
      ...{ kind: values.engine, nodes: positive("nodes", values.nodes), ...given },
      ...(values["emulate-nodes"] ? { emulateNodes: true } : {}),
      ...(devices ? { devices } : {}),
    });
    for (const scheduler of all(values.scheduler, BUILT_IN.scheduler)) {
      for (const allToAll of all(values["all-to-all"], BUILT_IN.allToAll)) {
        const { compressor } = values;
        const result = await check(engine, golden, values.digest, {
          ...{ ...given, ...(devices ? { devices: devices.join() } : {}) },
          scheduler,
          allToAll,
          compressor,
          chunks: positive("chunks", values.chunks),
          chunking: values.chunking,
          rows: golden.config.routing?.dropless ? "dropless" : "padded",
        });
        if (!values.summary) print(result);
        results.push(result);
        passed &&= result.pass;
      }
    }
    if (values.summary) print(summaryOf(results));
  }
  return passed;
}

/** JSON has no NaN and no Infinity, and would say null. */
const finite = (_key: string, value: unknown) =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

/** What a result has of its run's choices. */
type Choices = Omit<
  VerifyResult,
  "case" | "engine" | "dtype" | "nodes" | "ranks" | "errors" | "pass" | "digest"
>;

async function check(
  engine: Engine,
  golden: GoldenCase,
  hashed: boolean,
  choices: Choices,
): Promise<VerifyResult> {
  const { scheduler, allToAll, compressor } = choices;
  const chunks = chunkingOf(choices.chunking)(choices.chunks);
  const results = await runGolden(engine, golden, { scheduler, allToAll, compressor, chunks });
  const errors = goldenErrors(golden, results);
  const tolerance = choices.compressor === "none"
    ? TOLERANCE[golden.config.dtype ?? "float32"]
    : Infinity;
  return {
    ...{ case: golden.name, engine: engine.kind, dtype: golden.config.dtype ?? "float32" },
    ...{ nodes: engine.topology.nodes, ranks: golden.ranks, ...choices, errors },
    pass: Object.values(errors).every((error) => error <= tolerance && error < Infinity),
    ...(hashed ? { digest: await goldenDigest(results) } : {}),
  };
}

function open(
  golden: GoldenCase,
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

/** One chunking for all schedulers, whatever each prefers, so that all give the same bits. */
function chunkingOf(name: string): (chunks: number) => Chunking {
  if (name === "capacity") return capacitySlices;
  if (name === "peers") return peerGroups;
  throw new SchemoeError(`Unknown chunking "${name}": choose one of capacity, peers`);
}

/**
 * The case with inputs that bfloat16 holds exactly, and what the CPU engine makes of them: rounding
 * alone may send a token to another expert, or open a unit of a ReLU, which is no error of an engine.
 */
async function inBfloat16(golden: GoldenCase): Promise<GoldenCase> {
  const rounded = new Map([...golden.tensors].map(([name, { shape, data }]) => {
    const bits = dtypes.BF16.encode(data) as Uint16Array<ArrayBuffer>;
    const exact = name === "gate.weight" ? data : dtypes.BF16.decode(new Uint8Array(bits.buffer));
    return [name, { shape, data: exact }];
  }));
  const inputs = { ...golden, tensors: rounded };
  using engine = open(golden, { kind: "cpu", nodes: 1 });
  const results = await runGolden(engine, inputs, {});
  const expected = [...rounded].map(([name, { shape, data }]) =>
    [name, { shape, data: results.get(name) ?? data }] as const
  );
  return { ...inputs, config: { ...golden.config, dtype: "bfloat16" }, tensors: new Map(expected) };
}

function typeNamed(name: string): ElementType {
  if (name === "float32" || name === "bfloat16") return name;
  throw new SchemoeError(`--dtype must be float32 or bfloat16, got "${name}"`);
}

const all = (name: string, known: readonly string[]) => name === "all" ? known : [name];

function readFile(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (cause) {
    throw new SchemoeError(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

function options(args: readonly string[]) {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...{ engine: text("cpu"), nodes: text("1"), chunks: text("1"), compressor: text("none") },
        dtype: text("float32"),
        ...{ scheduler: text("sequential"), "all-to-all": text("linear") },
        chunking: text("capacity"),
        dropless: { type: "boolean", default: false },
        ...{ ranks: { type: "string" }, transport: { type: "string" } },
        ...{ "copy-by": { type: "string" }, gpus: { type: "string" }, devices: { type: "string" } },
        "emulate-nodes": { type: "boolean", default: false },
        digest: { type: "boolean", default: false },
        summary: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
  } catch (cause) {
    throw new SchemoeError(`${argumentProblem(cause)}; ${USAGE}`, { cause });
  }
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(taskArguments(USAGE)) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SchemoeError)) throw error;
    console.error(`verify: ${error.message}`);
    Deno.exitCode = 1;
  }
}
