import { assertEquals, assertThrows } from "@std/assert";
import { expertChoice, reluRouting, SchemoeError, topK, topology } from "../../mod.ts";
import { capacity, type Gate, resolveLayer, routedCapacity } from "../../lib/blocks/mod.ts";

const layer = (routing: object, gate: Gate = topK({ k: 2 })) =>
  resolveLayer(
    { tokens: 10, modelDim: 8, hiddenDim: 8, experts: 4, gate, routing },
    topology({ nodes: 1, ranksPerNode: 2 }),
  );

Deno.test("capacity() is k floor(factor ceil(tokens / experts)), whatever the loads", () => {
  const of = (capacityFactor: number) => capacity(layer({ capacityFactor }), 9);
  assertEquals([1, 1.5, 2].map(of), [2 * 3, 2 * 4, 2 * 6]);
  assertEquals(routedCapacity(layer({ capacityFactor: 1 })), false);
});

Deno.test("capacity() of a factor of 0 is the largest load, of one below 0 at most that of the factor", () => {
  const of = (capacityFactor: number, load: number) => capacity(layer({ capacityFactor }), load);
  assertEquals([of(0, 7), of(-1, 7), of(-1, 4)], [7, 6, 4]);
  assertEquals(routedCapacity(layer({ capacityFactor: 0 })), true);
});

Deno.test("capacity() is rounded up to its alignment", () => {
  const of = (factor: number) => layer({ capacityFactor: factor, capacityAlignment: 4 });
  assertEquals([capacity(of(1), 9), capacity(of(0), 9), capacity(of(0), 8)], [8, 12, 8]);
});

Deno.test("capacity() is 1 where no token of a gate has to have an expert, else 0 is an error", () => {
  assertEquals(capacity(layer({ capacityFactor: 0 }, reluRouting({ k: 2 })), 0), 1);
  assertThrows(() => capacity(layer({ capacityFactor: 0 }), 0), SchemoeError, "the capacity is 0");
});

Deno.test("capacity() of expert choice is its gate's own", () => {
  const chosen = layer({ capacityFactor: 0 }, expertChoice({ k: 2 }));
  assertEquals([routedCapacity(chosen), capacity(chosen, 1) === capacity(chosen, 9)], [
    false,
    true,
  ]);
});
