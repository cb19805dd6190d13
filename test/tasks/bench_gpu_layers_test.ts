import { assertEquals } from "@std/assert";
import { compared } from "../../lib/tasks/bench/gpu_layer_comparison.ts";
import { PUBLISHED_SHAPES } from "../../lib/tasks/bench/gpu_shapes.ts";

const [shape] = PUBLISHED_SHAPES;
const row = { forward: 1.5, forwardBackward: 4, padding: 1, parts: "" };
const eager = { shape: shape.name, peer: "eager", forward: 6, forward_backward: 12 };
const of = (...lines: Record<string, number | string>[]) =>
  compared({ shape, form: "dropless", row }, [eager, ...lines], {
    matmul_tflops: 700,
    copy_tbs: 4,
  });

Deno.test("compared() puts ScatterMoE beside our times where it ran, and says why where it failed", () => {
  const scattermoe = { shape: shape.name, peer: "scattermoe" };
  const ran = of({ ...scattermoe, forward: 3, forward_backward: 8, error: 0.01 });
  assertEquals(
    [ran.scattermoeForward, ran.scattermoeForwardBackward, ran.scattermoeError],
    [3, 8, 0.01],
  );
  assertEquals([ran.overScattermoeForward, ran.overScattermoeForwardBackward], [2, 2]);
  assertEquals(of({ ...scattermoe, failed: "no memory" }).scattermoe, "failed: no memory");
  assertEquals(Object.keys(of()).filter((name) => /scatter/i.test(name)), []);
  // the speedup stays that over PyTorch
  assertEquals([ran.speedupForward, of().speedupForward], [4, 4]);
});
