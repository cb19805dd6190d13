import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { openEngine } from "../../mod.ts";
import { goldenErrors, repeatRanks, runGolden } from "../../lib/studies/golden.ts";
import { resized, withIdleExperts } from "../../lib/studies/idle_experts.ts";
import { SchemoeError } from "../../lib/types.ts";
import { goldenCase, goldenCases } from "./golden_cases.ts";

for (
  const [name, nodes] of [["top2-relu", 2], ["top2-dropless", 4], ["top4-unnormalized", 1]] as const
) {
  Deno.test(`repeatRanks() of ${name} on ${nodes} x ${8 / nodes} ranks equals the reference`, async () => {
    const golden = repeatRanks(goldenCase(name), 8);
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode: 8 / nodes, links: "plain" });
    const results = await runGolden(engine, golden, { allToAll: "hierarchical2d", chunks: 2 });
    const errors = goldenErrors(golden, results);
    for (const [tensor, error] of Object.entries(errors)) assertLess(error, 1e-5, tensor);
    const compared = [...golden.tensors.keys()].filter((tensor) => tensor.startsWith("grad."));
    for (const tensor of compared) assertEquals(tensor in errors, true, tensor);
  });
}

Deno.test("repeatRanks() multiplies gradients of parameters and repeats those of ranks", () => {
  const before = goldenCase("top2-relu");
  const after = repeatRanks(before, 2 * before.ranks);
  const [a, b] = [before, after].map(({ tensors }) => tensors.get("grad.gate.weight")!.data);
  assertEquals(b[5], 2 * a[5]);
  const [x, twice] = [before, after].map(({ tensors }) => tensors.get("grad.x")!);
  assertEquals(twice.shape, [2 * x.shape[0], ...x.shape.slice(1)]);
  assertEquals(twice.data.slice(x.data.length), x.data);
});

Deno.test("repeatRanks() says why a case cannot have that many ranks", () => {
  const of = (name: string, ranks: number) => () => repeatRanks(goldenCase(name), ranks);
  assertThrows(of("top2-relu", 6), SchemoeError, "it is for 4, which can only be repeated");
  assertThrows(of("swiglu", 8), SchemoeError, "they do not divide its 4 experts");
});

for (const found of goldenCases.filter(({ config }) => config.experts < 8)) {
  Deno.test(`withIdleExperts() of ${found.name} on 8 ranks equals the reference`, async () => {
    const golden = repeatRanks(withIdleExperts(found, 8), 8);
    using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 4, links: "plain" });
    const results = await runGolden(engine, golden, { scheduler: "optSche", chunks: 2 });
    const errors = goldenErrors(golden, results);
    for (const [tensor, error] of Object.entries(errors)) assertLess(error, 1e-5, tensor);
    const gradients = (names: Iterable<string>) =>
      [...names].filter((tensor) => tensor.startsWith("grad.")).toSorted();
    assertEquals(gradients(Object.keys(errors)), gradients(found.tensors.keys()));
    // No token went to an expert that is added, and none was dropped that was not before.
    const idle = results.get("grad.experts.w2")!.subarray(-found.config.hiddenDim);
    assertEquals(idle.every((value) => value === 0), true);
  });
}

Deno.test("withIdleExperts() keeps a case that has enough experts, and refuses fewer", () => {
  const golden = goldenCase("top2-relu");
  assertEquals(withIdleExperts(golden, 8), golden);
  assertThrows(() => withIdleExperts(golden, 4), SchemoeError, "with 4 experts: it has 8");
});

Deno.test("resized() takes the leading corner and fills up with zeros", () => {
  const data = Float32Array.of(1, 2, 3, 4);
  assertEquals([...resized(data, { from: [2, 2], to: [1, 3] })], [1, 2, 0]);
  assertEquals([...resized(data, { from: [2, 2], to: [3, 1] })], [1, 3, 0]);
});
