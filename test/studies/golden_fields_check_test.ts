import { assertEquals, assertThrows } from "@std/assert";
import { checkGoldenFields } from "../../lib/studies/golden_fields_check.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { zeroGradients } from "../../lib/studies/golden_zeros.ts";
import { SchemoeError } from "../../mod.ts";

const fail = (problem: string): never => {
  throw new SchemoeError(problem);
};

Deno.test("checkGoldenFields() names each field that holds what no case has", () => {
  const numbers = ["topK", "latentDim", "capacityFactor", "capacityAlignment", "auxWeight"];
  const flags = ["dropless", "normalizeGate", "batchPrioritized", "prescore", "bias"];
  const gate = ["scores", "bias", "groups", "scale", "weighs", "hash", "choice", "zeroExperts"];
  for (const value of [null, "x", {}, [1], NaN]) {
    for (const field of [...numbers, ...flags, "shared", "losses", "updates"]) {
      assertThrows(() => checkGoldenFields({ [field]: value }, fail), SchemoeError, `"${field}`);
    }
    if (Object(value) !== value || Array.isArray(value)) {
      assertThrows(() => checkGoldenFields({ gate: value }, fail), SchemoeError, '"gate" is');
    }
    for (const field of gate) {
      const config = { gate: { [field]: value } };
      assertThrows(() => checkGoldenFields(config, fail), SchemoeError, `"gate.${field}" is`);
    }
    for (const list of ["losses", "updates"]) {
      const config = { [list]: [value] };
      assertThrows(() => checkGoldenFields(config, fail), SchemoeError, `"${list}.0`);
    }
  }
  const two = [{ name: "sign", rate: 1 }, { name: "sign", rate: 1 }];
  assertThrows(() => checkGoldenFields({ updates: two }, fail), SchemoeError, "a gate has one");
  checkGoldenFields({ topK: 2, capacityFactor: -1, gate: { scores: "relu" }, losses: [] }, fail);
  checkGoldenFields({ updates: two.slice(1), shared: { hiddenDim: 3, kind: "swiglu" } }, fail);
});

Deno.test("zeroGradients() takes for zeros what float64 leaves of them, and nothing else", () => {
  const [rounding, small, large] = [1e-17, 1e-9, 0.5].map((v) => Float32Array.of(v, -v / 2));
  const expectedOf = zeroGradients([["a", rounding], ["b", small], ["c", large]]);
  assertEquals(expectedOf(rounding), new Float32Array(2));
  assertEquals([small, large].map(expectedOf), [small, large]);
  assertEquals(largestError(Float32Array.of(0, 3e-9), expectedOf(rounding)), Math.fround(3e-9));
  const broken = Float32Array.of(NaN, 1e-17);
  assertEquals(zeroGradients([["a", broken], ["c", large]])(broken), broken);
});
