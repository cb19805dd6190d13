import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import * as compressors from "../../lib/compressors/mod.ts";
import { encodeSafetensors, parseSafetensors } from "../../lib/files/mod.ts";
import { largestError, parseGolden, rmsError } from "../../lib/studies/golden.ts";
import { boundedCodecs, boundsOf } from "../../lib/tasks/verify/bounds.ts";
import { SchemoeError } from "../../lib/types.ts";

const GOLDEN = `${import.meta.dirname}/../golden`;
const file = await Deno.readFile(`${GOLDEN}/top2-relu.safetensors`);
const { tensors, metadata } = parseSafetensors(file, "top2-relu");

/** The case with other fields in its configuration. */
const changed = (fields: object): Uint8Array<ArrayBuffer> =>
  encodeSafetensors(tensors, {
    config: JSON.stringify({ ...JSON.parse(metadata.config), ...fields }),
  });

async function verify(
  ...args: string[]
): Promise<{ code: number; lines: string[]; error: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${import.meta.dirname}/../../lib/tasks/verify.ts`, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code, lines: text(stdout).split("\n"), error: text(stderr) };
}

Deno.test("every native codec has a bound in verify, and all that tell one; others are refused", () => {
  const bounded = Object.values(compressors).filter((codec) =>
    typeof codec === "object" && (codec.native !== undefined || codec.tolerance !== undefined)
  );
  assertEquals(bounded.map(({ name }) => name).toSorted(), boundedCodecs.toSorted());
  assertThrows(
    () => boundsOf({ compressor: "int3", dtype: "float32", expert: "ffn(relu)" }),
    SchemoeError,
    'Cannot verify with the codec "int3": no bound of its errors is known; choose one of bf16, fp16',
  );
});

Deno.test("boundsOf() is tight but for gradients behind a ReLU", () => {
  const of = (compressor: string, expert: string, tensor: string) =>
    boundsOf({ compressor, dtype: "float32", expert }).of(tensor);
  assertEquals(of("none", "ffn(relu)", "grad.x"), 1e-5);
  for (const compressor of boundedCodecs.filter((name) => !["none", "topKValues"].includes(name))) {
    assertEquals(boundsOf({ compressor, dtype: "float32", expert: "" }).norm, "rms");
    const tight = of(compressor, "ffn(gelu)", "grad.x");
    assert(tight < 0.5 && of(compressor, "ffn(relu)", "y") === tight);
    assert(of(compressor, "ffn(relu)", "grad.experts.w1") > tight);
    assertEquals(of(compressor, "swiglu", "grad.experts.w1"), tight);
  }
  assert(boundsOf({ compressor: "fp16", dtype: "bfloat16", expert: "" }).of("y") >= 2e-2);
});

Deno.test("largestError() and rmsError() are relative to the expected values, NaN is infinite", () => {
  const a = Float32Array.of(3, 4, 0);
  assertEquals(largestError(Float32Array.of(3, 5, 0), a), 0.25);
  assertEquals(rmsError(Float32Array.of(3, 5, 0), a), 0.2);
  for (const measure of [largestError, rmsError]) {
    assertEquals(measure(a, a), 0);
    assertEquals(measure(Float32Array.of(NaN, 4, 0), a), Infinity);
    assertEquals(measure(Float32Array.of(Infinity, 4, 0), a), Infinity);
    assertEquals(measure(Float32Array.of(0, 0.5), new Float32Array(2)), 0.5);
    assertThrows(() => measure(a, new Float32Array(2)), SchemoeError, "3 values where 2");
  }
});

Deno.test("parseGolden() compares shapes with the configuration, naming file, tensor and shape", () => {
  const wrong: [object, string][] = [
    [{ tokens: 1e9 }, 'has shape [4,64,32], its "config" needs [4,1000000000,32]'],
    [{ modelDim: 33 }, 'its "config" needs [4,64,33]'],
    [{ ranks: 3 }, 'its "config" needs [3,64,32]'],
    [{ ranks: 0 }, 'its "ranks" is 0, not a positive integer'],
    [{ ranks: "4" }, 'its "ranks" is "4", not a positive integer'],
    [{ tokens: null }, 'its "tokens" is null, not a positive integer'],
    [{ activation: "step" }, 'unknown activation "step", known are relu'],
    [{ expert: 7 }, 'unknown expert "7"'],
  ];
  for (const [fields, message] of wrong) {
    const error = assertThrows(() => parseGolden(changed(fields), "a.safetensors"), SchemoeError);
    assertStringIncludes(error.message, "Cannot use a.safetensors as a reference case: ");
    assertStringIncludes(error.message, message);
  }
  const odd = { ...Object.fromEntries(tensors), "grad.experts.w1": tensors.get("x")! };
  assertThrows(
    () => parseGolden(encodeSafetensors(odd, metadata), "a"),
    SchemoeError,
    'tensor "grad.experts.w1" has shape [4,64,32], its "config" needs [8,32,64]',
  );
  assertThrows(
    () => parseGolden(encodeSafetensors(Object.fromEntries(tensors)), "a"),
    SchemoeError,
    'its metadata have no "config": the configuration of the layer as JSON',
  );
});

Deno.test("parseGolden() of a damaged file throws nothing but SchemoeError", () => {
  let state = 9;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  const header = Number(new DataView(file.buffer).getBigUint64(0, true));
  for (let i = 0; i < 400; i++) {
    const bytes = file.slice();
    for (let n = 0; n <= random(2); n++) bytes[8 + random(header)] = 32 + random(95);
    try {
      parseGolden(bytes, "a");
    } catch (error) {
      assert(error instanceof SchemoeError, `${error}`);
    }
  }
});

Deno.test("verify goes on after cases that cannot be run, and names each", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = (name: string) => `${folder}/${name}.safetensors`;
    await Deno.writeFile(path("huge"), changed({ name: "huge", capacityFactor: 1e300 }));
    await Deno.writeFile(path("cut"), file.subarray(0, 900));
    const good = `${GOLDEN}/top1-switch.safetensors`;
    const files = [path("huge"), path("cut"), path("missing"), good];
    const { code, lines } = await verify(...files);
    assertEquals([code, lines.length], [1, 4]);
    assertStringIncludes(
      lines[0],
      "FAIL huge: Cannot make the layer: capacityFactor 1e+300 makes a",
    );
    assertStringIncludes(lines[1], `FAIL ${path("cut")}: Cannot read ${path("cut")}: `);
    assertStringIncludes(lines[2], `FAIL ${path("missing")}: Cannot read ${path("missing")}: `);
    assert(lines[3].startsWith("ok   top1-switch"), lines[3]);
    const many = await verify(good, good, "--chunks", "500", "--json");
    assertEquals([many.code, many.lines.length], [1, 2]);
    for (const line of many.lines) {
      const { case: name, pass, error } = JSON.parse(line);
      assertEquals([name, pass], ["top1-switch", false]);
      assertStringIncludes(error, "chunks must be");
    }
    const int8 = await verify(good, "--compressor", "int8");
    assertEquals(int8.code, 0);
    assertStringIncludes(int8.lines[0], "int8 by 2-norm");
    const unknown = await verify(good, "--scheduler", "OptSche");
    assertEquals(unknown.code, 1);
    assertStringIncludes(unknown.error, 'verify: Unknown scheduler "OptSche": choose one of all, ');
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("verify runs cases whose tokens cross once, and waves of experts, with the bits of all schedulers equal", async () => {
  const case4 = `${GOLDEN}/top2-relu.safetensors`;
  const common = ["--nodes", "2", "--chunks", "2", "--chunking", "experts", "--scheduler", "all"];
  const bits = ["--digest", "--summary"];
  const [once, waves] = [
    await verify(case4, ...common, ...bits, "--dispatch", "node"),
    await verify(case4, ...common, ...bits),
  ];
  for (const { code, lines, error } of [once, waves]) {
    assertEquals([code, error], [0, ""]);
    assert(/^ok .*chunks 2 by experts.* bits \w+$/.test(lines[0]), lines[0]);
  }
  assertStringIncludes(once.lines[0], "and tokens that cross once");
  const both = await verify(case4, "--dispatch", "node", "--all-to-all", "pipe");
  assertEquals(both.code, 1);
  assertStringIncludes(both.error, "Cannot verify with --all-to-all and --dispatch node");
  const training = `${GOLDEN}/training`;
  const [first] = [...Deno.readDirSync(training)].map(({ name }) => name).filter((name) =>
    name.endsWith(".safetensors")
  ).toSorted();
  const steps = await verify(`${training}/${first}`, "--dispatch", "node", "--summary");
  assertEquals([steps.code, steps.error], [0, ""]);
  assertStringIncludes(steps.lines[0], "and tokens that cross once");
});
