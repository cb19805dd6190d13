import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { openEngine } from "../../mod.ts";
import { goldenErrors, repeatRanks, runGolden } from "../../lib/moe/golden.ts";
import { SchemoeError } from "../../lib/types.ts";
import { goldenCase } from "./golden_cases.ts";

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
