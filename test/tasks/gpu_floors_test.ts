import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { floorsOf, printFloors } from "../../lib/tasks/bench/gpu_floors.ts";
import { flopsOf, GPU_SHAPES } from "../../lib/tasks/bench/gpu_shapes.ts";

const ceilings = { copyTBs: 4, matmulTFLOPs: 800 };

Deno.test("floorsOf: products take their operations at the matrix product's rate, forward and twice backward", () => {
  for (const shape of GPU_SHAPES) {
    const floors = floorsOf(shape, { rows: shape.tokens * shape.topK, ...ceilings });
    const products = flopsOf(shape) / 800e9;
    assertAlmostEquals(floors["b.Ew"], products, 1e-9);
    for (const part of ["f.E", "b.Ei"]) {
      assert(floors[part] >= products && floors[part] < 1.4 * products, `${shape.name} ${part}`);
    }
  }
});

Deno.test("floorsOf: what only moves takes its bytes at the copy's rate, and padding costs", () => {
  const shape = { ...GPU_SHAPES[4], name: "one", tokens: 1000, modelDim: 2000, topK: 2 };
  const floors = floorsOf(shape, { rows: 2000, ...ceilings });
  assertAlmostEquals(floors["f.dispatch"], (2 * (1000 + 2000) * 2000) / 4e9, 1e-12);
  assertAlmostEquals(floors["b.combine"], (2 * (1000 + 4000) * 2000) / 4e9, 1e-12);
  const padded = floorsOf(shape, { rows: 2200, ...ceilings });
  for (const part of ["f.E", "b.Ei", "b.Ew", "f.combine"]) {
    assert(padded[part] > floors[part], part);
  }
  assertEquals(padded["f.gate"], floors["f.gate"]);
});

Deno.test("printFloors: parts and milliseconds", () => {
  assertEquals(printFloors({ "f.gate": 0.0123, "f.E": 3.5 }), "f.gate 0.012, f.E 3.500");
});
