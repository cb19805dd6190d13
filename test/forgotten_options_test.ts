/** Values whose options were forgotten say which one is needed, where JavaScript would only say that it is undefined. */
import { assert, assertThrows } from "@std/assert";
import { SchemoeError } from "../mod.ts";
import * as blocks from "../lib/blocks/mod.ts";
import * as routing from "../lib/routing/mod.ts";
import * as training from "../lib/training/mod.ts";

/** What each cannot do without. */
const NEEDED: Readonly<Record<string, string>> = {
  ...{ gshard: "weight", switchBalance: "weight", globalBatch: "weight", sequence: "weight" },
  ...{ z: "weight", importance: "weight", load: "weight", orthogonal: "weight" },
  ...{ signUpdate: "rate", quantileUpdate: "ema", budgetUpdate: "rate", cosineRate: "peak" },
  ...{ hashed: "vocabulary", hashTable: "vocabulary", randomTokens: "vocabulary" },
  ...{ cosineTopK: "width", cosineLogits: "width", replayed: "trace" },
  ...{ uniformRouting: "ranks", zipfRouting: "ranks", driftingRouting: "ranks" },
  ...{ correlatedRouting: "ranks" },
};

const makers = { ...blocks, ...routing, ...training } as unknown as Readonly<
  Record<string, (options?: unknown) => unknown>
>;

for (const [name, option] of Object.entries(NEEDED)) {
  Deno.test(`${name}() without options asks for ${option}`, () => {
    assert(typeof makers[name] === "function");
    for (const given of [undefined, null, {}, 3, "x"]) {
      const { message } = assertThrows(() => makers[name](given), SchemoeError);
      assert(message.includes(option), message);
    }
  });
}

Deno.test("routings and rates of numbers that are none name them", () => {
  const sizes = { ranks: 2, tokens: 4, topK: 1, exponent: 1, step: 1, period: 2 };
  for (const name of ["uniformRouting", "zipfRouting", "driftingRouting"]) {
    for (const experts of [-1, 0.5, NaN, "4", Infinity]) {
      assertThrows(() => makers[name]({ ...sizes, experts }), SchemoeError, "experts must be");
    }
  }
  for (const wrong of [{ peak: "x" }, { warmup: NaN }, { steps: null }, { final: {} }]) {
    const [field] = Object.keys(wrong);
    const rate = () => makers.cosineRate({ peak: 1, steps: 9, ...wrong });
    assertThrows(rate, SchemoeError, `${field} must be a number`);
  }
});
