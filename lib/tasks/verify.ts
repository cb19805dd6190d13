/**
 * Runs reference cases forward and backward, or reference training runs step by step, and prints the largest error of
 * each tensor.
 *
 * usage: deno task verify FILE.safetensors... [--engine cpu|cuda] [--nodes N] [--ranks N]
 *   [--scheduler NAME|all] [--all-to-all NAME|all] [--compressor NAME] [--chunks N] [--chunking capacity|peers|experts]
 *   [--dispatch choice|node]
 *   [--dtype bfloat16] [--dropless] [--transport copy|nccl] [--copy-by kernels|engines] [--emulate-nodes]
 *   [--gpus N | --devices LIST] [--digest] [--summary] [--json]
 *
 * With one `--chunking`, all schedulers and all-to-alls give the same bits; the two differ by rounding.
 * `--digest` shows it: each line gets a hash of all result tensors. `--summary` prints one line for all
 * schedulers and all-to-alls of a case, with their largest errors and all hashes there were. `--ranks`
 * repeats the ranks of a case (those of its file are few) and multiplies gradients accordingly. `--dropless` computes cases whose
 * capacity comes from the routing without padding, training runs too (of others it would compute tokens that they drop).
 * A codec passes when the 2-norm of each tensor's error is within the codec's bound (`verify/bounds.ts`), results
 * without a codec when the largest error is. A case that cannot be run is a line that begins with FAIL.
 * `--gpus N` puts the ranks of a case in blocks on the first N GPUs, `--devices 0,1` names the GPU of each.
 * @module
 */
import { parseArgs } from "node:util";
import { capacitySlices, expertWaves, peerGroups } from "../chunking/mod.ts";
import { BUILT_IN } from "../layer/built_in.ts";
import { DISPATCHES, ONCE_A_NODE } from "../layer/dispatch.ts";
import type { Chunking } from "../chunking/types.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";
import { argumentProblem, positive, taskArguments } from "./build/command.ts";
import { devicesOf, parseDevices } from "./bench/devices_option.ts";
import { boundsOf } from "./verify/bounds.ts";
import { goldenDigest } from "./verify/golden_digest.ts";
import { lineOf, summaryOf, type VerifyResult, type VerifySummary } from "./verify/report.ts";
import { caseOf, isDropless, openFor, runCase, type VerifyCase } from "./verify/cases.ts";

const USAGE =
  "usage: deno task verify FILE.safetensors... [--engine cpu|cuda] [--nodes N] [--ranks N] " +
  "[--scheduler NAME|all] [--all-to-all NAME|all] [--compressor NAME] [--chunks N] [--chunking capacity|peers|experts] " +
  "[--dispatch choice|node] [--dtype bfloat16] [--dropless] [--transport copy|nccl] [--copy-by kernels|engines] [--emulate-nodes] " +
  "[--gpus N | --devices LIST] [--digest] [--summary] [--json]";

async function main(args: readonly string[]): Promise<boolean> {
  const { values, positionals } = options(args);
  if (positionals.length === 0) throw new SchemoeError(`No files given; ${USAGE}`);
  const asked = askedOf(values);
  const print = (result: VerifyResult | VerifySummary) =>
    console.log(values.json ? JSON.stringify(result, finite) : lineOf(result));
  let passed = true;
  for (const file of positionals) {
    const results: VerifyResult[] = [];
    const add = (result: VerifyResult) => {
      if (!values.summary) print(result);
      results.push(result);
      passed &&= result.pass;
    };
    await verifyFile(file, asked, add);
    if (values.summary) print(summaryOf(results));
  }
  return passed;
}

type Values = ReturnType<typeof options>["values"];

/** Options, checked before the first file is read. */
function askedOf(values: Values) {
  const dtype = typeNamed(values.dtype);
  boundsOf({ compressor: values.compressor, dtype, expert: "" });
  chunkingOf(values.chunking);
  const given = {
    ...(values.transport === undefined ? {} : { transport: values.transport }),
    ...(values["copy-by"] === undefined ? {} : { copyBy: values["copy-by"] }),
  };
  return {
    dtype,
    given,
    kind: values.engine,
    nodes: positive("nodes", values.nodes),
    chunks: positive("chunks", values.chunks),
    ranks: values.ranks === undefined ? undefined : positive("ranks", values.ranks),
    places: parseDevices(values),
    schedulers: named("scheduler", values.scheduler, BUILT_IN.scheduler),
    ...exchangesOf(values),
    compressor: values.compressor,
    chunking: values.chunking,
    dropless: values.dropless,
    emulateNodes: values["emulate-nodes"],
    hashed: values.digest,
  };
}

type Asked = ReturnType<typeof askedOf>;

/** All-to-alls, or that tokens cross once to a node, which is one. */
function exchangesOf({ dispatch, "all-to-all": allToAll }: Values) {
  if (!DISPATCHES.some((known) => known === dispatch)) {
    throw new SchemoeError(
      `Unknown dispatch "${dispatch}": choose one of ${DISPATCHES.join(", ")}` +
        didYouMean(dispatch, DISPATCHES),
    );
  }
  if (dispatch === "choice") {
    return { allToAlls: named("all-to-all", allToAll ?? "linear", BUILT_IN.allToAll) };
  }
  if (allToAll !== undefined) {
    throw new SchemoeError(
      "Cannot verify with --all-to-all and --dispatch node, which is an all-to-all of its own; give one of them",
    );
  }
  return { dispatch: "node" as const, allToAlls: [ONCE_A_NODE] };
}

/** Runs a case in all ways that are asked for; what cannot be run is a result that did not pass. */
async function verifyFile(
  file: string,
  asked: Asked,
  add: (result: VerifyResult) => void,
): Promise<void> {
  const { dtype, nodes, chunks, chunking, compressor, given, hashed } = asked;
  const choices: Choices = {
    ...given,
    scheduler: asked.schedulers[0],
    allToAll: asked.allToAlls[0],
    compressor,
    chunks,
    chunking,
    ...(asked.dispatch ? { dispatch: asked.dispatch } : {}),
    rows: asked.dropless ? "dropless" : "padded",
  };
  const failed = (name: string, ranks: number, more: Partial<Choices>, error: unknown) => {
    if (!(error instanceof SchemoeError)) throw error;
    const { message } = error;
    const where = { case: name, engine: asked.kind, dtype, nodes, ranks };
    add({ ...where, ...choices, ...more, errors: {}, norm: "max", pass: false, error: message });
  };
  let golden: VerifyCase;
  try {
    golden = await caseOf(file, asked);
  } catch (error) {
    return failed(file, asked.ranks ?? 0, {}, error);
  }
  const { name, ranks } = golden;
  try {
    const devices = devicesOf(asked.places, ranks);
    using engine = openFor(golden, {
      kind: asked.kind,
      nodes,
      ...given,
      ...(asked.emulateNodes ? { emulateNodes: true } : {}),
      ...(devices ? { devices } : {}),
    });
    for (const scheduler of asked.schedulers) {
      for (const allToAll of asked.allToAlls) {
        const own: Choices = {
          ...choices,
          ...(devices ? { devices: devices.join() } : {}),
          scheduler,
          allToAll,
          rows: isDropless(golden) ? "dropless" : "padded",
        };
        try {
          add(await check(engine, golden, hashed, own));
        } catch (error) {
          failed(name, ranks, own, error);
        }
      }
    }
  } catch (error) {
    failed(name, ranks, {}, error);
  }
}

/** JSON has no NaN and no Infinity, and would say null. */
const finite = (_key: string, value: unknown) =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

/** Choices of a run in its result. */
type Choices = Omit<
  VerifyResult,
  | "case"
  | "engine"
  | "dtype"
  | "nodes"
  | "ranks"
  | "errors"
  | "norm"
  | "over"
  | "pass"
  | "digest"
  | "error"
>;

async function check(
  engine: Engine,
  golden: VerifyCase,
  hashed: boolean,
  choices: Choices,
): Promise<VerifyResult> {
  const { scheduler, allToAll, compressor, dispatch } = choices;
  const chunks = chunkingOf(choices.chunking)(choices.chunks);
  const pass = { scheduler, compressor, chunks, ...(dispatch ? { dispatch } : { allToAll }) };
  const { dtype, bounds, errors, results } = await runCase(engine, golden, pass);
  const over = Object.fromEntries(
    Object.entries(errors).filter(([tensor, error]) => !(error <= bounds.of(tensor)))
      .map(([tensor]) => [tensor, bounds.of(tensor)]),
  );
  const passed = Object.keys(over).length === 0;
  return {
    case: golden.name,
    engine: engine.kind,
    dtype,
    nodes: engine.topology.nodes,
    ranks: golden.ranks,
    ...choices,
    errors,
    norm: bounds.norm,
    ...(passed ? {} : { over }),
    pass: passed,
    ...(hashed ? { digest: await goldenDigest(results) } : {}),
  };
}

/** One chunking for all schedulers, whatever each prefers, so that all give the same bits. */
function chunkingOf(name: string): (chunks: number) => Chunking {
  if (name === "capacity") return capacitySlices;
  if (name === "peers") return peerGroups;
  if (name === "experts") return expertWaves;
  throw new SchemoeError(`Unknown chunking "${name}": choose one of capacity, peers, experts`);
}

function typeNamed(name: string): ElementType {
  if (name === "float32" || name === "bfloat16") return name;
  throw new SchemoeError(`--dtype must be float32 or bfloat16, got "${name}"`);
}

/** One name, or all. */
function named(option: string, name: string, known: readonly string[]): readonly string[] {
  if (name === "all") return known;
  if (known.includes(name)) return [name];
  throw new SchemoeError(`Unknown ${option} "${name}": choose one of all, ${known.join(", ")}`);
}

function options(args: readonly string[]) {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        engine: text("cpu"),
        nodes: text("1"),
        chunks: text("1"),
        compressor: text("none"),
        dtype: text("float32"),
        scheduler: text("sequential"),
        "all-to-all": { type: "string" },
        dispatch: text("choice"),
        chunking: text("capacity"),
        dropless: { type: "boolean", default: false },
        ranks: { type: "string" },
        transport: { type: "string" },
        "copy-by": { type: "string" },
        gpus: { type: "string" },
        devices: { type: "string" },
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
