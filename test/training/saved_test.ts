import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { savedComparison } from "../../lib/training/mod.ts";
import { SchemoeError } from "../../mod.ts";

const line = (codec: string, seed: number, step: number, validation: number) =>
  JSON.stringify({
    bench: "curves",
    codec,
    seed,
    step,
    validation,
    tokensPerSecond: 10,
    seconds: 2,
    configuration: { engine: "cuda" },
  });

Deno.test("savedComparison() draws committed curves, and pairs runs of equal seeds", async () => {
  const text = [
    '{"bench":"gates"}',
    ...[1, 2].flatMap((seed) => [
      line("none", seed, 20, 2 + seed),
      line("none", seed, 10, 4),
      line("int8", seed, 20, 2.5 + seed),
    ]),
    "",
  ].join("\n");
  const compared = savedComparison(text);
  assertEquals(compared.names, ["none", "int8"]);
  assertEquals(compared.runs[0].run.validations.map(({ step }) => step), [10, 20]);
  const [none, int8] = compared.rows;
  assertAlmostEquals(none.mean, 3.5);
  assertAlmostEquals(int8.difference!, 0.5);
  assertEquals(int8.tokensPerSecond, 10);
  assert((await compared.svg()).includes('aria-label="area"'));
});

Deno.test("savedComparison() refuses what has no curves", () => {
  const error = assertThrows(() => savedComparison('{"bench":"gates"}\n'), SchemoeError);
  assertEquals(
    error.message,
    "Cannot read the comparison: there is no line of the benchmark curves",
  );
});

Deno.test("the committed curves: every codec stays below the trigram, and fp8 alone is seen to hurt", async () => {
  const file = new URL("../../notebooks/results/curves-h200.jsonl", import.meta.url);
  const { rows } = savedComparison(await Deno.readTextFile(file));
  assertEquals(rows.map(({ name, seeds }) => [name, seeds]), [
    ["none", 3],
    ["zfp8", 3],
    ["int8", 3],
    ["fp8", 3],
  ]);
  const trigram = 1.9195;
  assert(rows.every(({ most }) => most < trigram));
  const seen = rows.slice(1).filter(({ difference, plusMinus }) => difference! > plusMinus!);
  assertEquals(seen.map(({ name }) => name), ["fp8"]);
});
