import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { openEngine, SchemoeError } from "../../mod.ts";
import { isGoldenTraining, parseGoldenTraining } from "../../lib/studies/golden_training.ts";
import { trainingWithoutPadding } from "../../lib/tasks/bench/without_padding.ts";
import { lineOf, type VerifyResult } from "../../lib/tasks/verify/report.ts";
import { checkTraining, trainingBound } from "../../lib/tasks/verify/training_case.ts";

const GOLDEN = `${import.meta.dirname}/../golden`;
const path = `${GOLDEN}/training/sgd.safetensors`;
const bytes = Deno.readFileSync(path);
const golden = parseGoldenTraining(bytes, path);

async function verify(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${import.meta.dirname}/../../lib/tasks/verify.ts`, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  return { code, lines: new TextDecoder().decode(stdout).trim().split("\n") };
}

Deno.test("verify runs training files and layer cases side by side, with the same report", async () => {
  const layer = `${GOLDEN}/swiglu.safetensors`;
  const { code, lines } = await verify(
    path,
    layer,
    "--chunks",
    "2",
    "--scheduler",
    "all",
    "--summary",
  );
  assertEquals(code, 0, lines.join("\n"));
  assertMatch(
    lines[0],
    /^ok {3}sgd \(1 ranks, nodes 1, \d+ of \d+ with \d+ schedulers.* loss [\d.]+e-\d+ +gradNorm .* grad\.\* \(\S+\) .* final\.\* \(\S+\) /,
  );
  assertMatch(lines[1], /^ok {3}swiglu /);
  const json = await verify(path, "--digest", "--json");
  const { errors, digest, pass } = JSON.parse(json.lines[0]);
  assert(pass && /^[0-9a-f]{16}$/.test(digest));
  assertEquals(
    Object.keys(errors).sort(),
    [
      "loss",
      "gradNorm",
      "lr",
      ...Object.keys(golden.gradients).flatMap((name) => [`grad.${name}`, `final.${name}`]),
    ].sort(),
  );
});

Deno.test("verify refuses what a training run has no bound or no meaning for", async () => {
  for (
    const [args, text] of [
      [["--compressor", "int8"], "no bound of its errors over many steps is known"],
      [["--ranks", "2"], "Cannot verify a training run with --ranks"],
    ] as const
  ) {
    const { code, lines } = await verify(path, ...args);
    assertEquals(code, 1);
    assertStringIncludes(lines[0], text);
  }
});

Deno.test("verify --dropless runs a training run without padding, with the bits of its own under every scheduler", async () => {
  const args = [`${GOLDEN}/training/tiny.safetensors`, "--dropless", "--scheduler", "all"];
  const { code, lines } = await verify(...args, "--summary", "--digest");
  assertEquals(code, 0, lines.join("\n"));
  assertMatch(
    lines[0],
    /^ok {3}tiny \(2 ranks, nodes 1, (\d+) of \1 .*, dropless\) .* bits [0-9a-f]{16}$/,
  );
});

Deno.test("trainingWithoutPadding() refuses a run whose capacity may drop tokens", () => {
  const layers = golden.model.layers.map((block) =>
    "moe" in block ? { moe: { ...block.moe, routing: { capacityFactor: 1 } } } : block
  );
  assertThrows(
    () => trainingWithoutPadding({ ...golden, model: { ...golden.model, layers } }),
    SchemoeError,
    'Cannot compute the case "sgd" without padding: its capacityFactor 1 may drop tokens',
  );
});

Deno.test("verify runs a training run in bfloat16, within wider bounds", async () => {
  const { code, lines } = await verify(path, "--dtype", "bfloat16");
  assertEquals(code, 0);
  assertStringIncludes(lines[0], "ok");
  const of = (tensor: string) =>
    trainingBound(tensor, { engine: "cpu", optimizer: "sgd", dtype: "bfloat16" });
  const bounds = ["loss", "lr", "grad.blocks.0.moe.gate.weight", "grad.head", "final.head"].map(of);
  assertEquals(bounds, [1e-2, 1e-12, 0.5, 0.2, 0.25]);
});

Deno.test("checkTraining() notices a wrong parameter, loss and rate", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const errorsOf = async (change: Partial<typeof golden>) =>
    (await checkTraining(engine, { ...golden, ...change }, {})).errors;
  const of = (name: string) => trainingBound(name, { engine: "cpu", optimizer: "sgd" });
  const right = await errorsOf({});
  assert(Object.entries(right).every(([name, error]) => error <= of(name)), JSON.stringify(right));
  const loss = golden.loss.slice();
  loss[3] *= 1 + 1e-5;
  const shaken = await errorsOf({ loss });
  assert(shaken.loss > of("loss") && shaken.gradNorm === right.gradNorm);
  const model = { ...golden.model, clip: 0 };
  const unclipped = await errorsOf({ model });
  assert(unclipped.loss > 1e-3 && unclipped["final.embedding"] > 1e-3);
  assertEquals(unclipped["grad.embedding"], right["grad.embedding"]);
  await assertRejects(
    () => checkTraining(engine, golden, { compressor: "int8" }),
    SchemoeError,
    "leave --compressor out",
  );
});

Deno.test("isGoldenTraining() tells training runs from cases of layers", () => {
  assert(isGoldenTraining(bytes, path));
  const layer = `${GOLDEN}/swiglu.safetensors`;
  assert(!isGoldenTraining(Deno.readFileSync(layer), layer));
});

Deno.test("trainingBound() is wider on a GPU for the loss alone", () => {
  const of = (engine: string, tensor: string, optimizer = "adamw") =>
    trainingBound(tensor, { engine, optimizer });
  assertEquals([of("cpu", "loss"), of("cuda", "loss")], [2e-6, 1e-5]);
  for (const tensor of ["gradNorm", "lr", "grad.head", "final.head"]) {
    assertEquals(of("cpu", tensor), of("cuda", tensor));
  }
  assertEquals([of("cpu", "final.head"), of("cpu", "final.head", "sgd")], [5e-4, 1e-5]);
});

Deno.test("lineOf() prints each error over its bound beside the largest of many gradients", () => {
  const errors = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`grad.p${i}`, i * 1e-7]));
  const result: VerifyResult = {
    case: "a",
    engine: "cpu",
    dtype: "float32",
    nodes: 1,
    ranks: 1,
    scheduler: "sequential",
    allToAll: "linear",
    compressor: "none",
    chunks: 1,
    chunking: "capacity",
    rows: "padded",
    errors: { loss: 1e-7, ...errors, "grad.p3": 2e-5 },
    norm: "max",
    over: { "grad.p3": 1e-5 },
    pass: false,
  };
  const line = lineOf(result);
  assertStringIncludes(line, "  loss 1.0e-7  grad.p3 2.0e-5 > 1.0e-5  grad.* (p3) 2.0e-5");
  assert(!line.includes("grad.p4"));
});
