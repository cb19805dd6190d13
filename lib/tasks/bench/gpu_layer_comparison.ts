/** Times of a layer on a GPU beside those of PyTorch, published rates, and what the GPU can do. @module */
import { SchemoeError } from "../../types.ts";
import { floorsOf, printFloors } from "./gpu_floors.ts";
import { flopsOf, type GpuShape, type PublishedShape } from "./gpu_shapes.ts";
import type { Row } from "./report.ts";

/** Whether experts are padded to the largest load. */
export const FORMS = ["padded", "dropless"] as const;
/** One of them. */
export type Form = typeof FORMS[number];

/** TFLOP/s of the experts' products without padding, and as shares of what is published of the shape. */
function publishedRates(shape: GpuShape, forward: number, both: number): Row {
  const { published } = shape as Partial<PublishedShape>;
  if (!published) return {};
  const rate = (ms: number, passes: number) => (passes * flopsOf(shape)) / ms / 1e9;
  const ofBoth = 3 / (1 / published.forward + 2 / published.backward);
  const share = (ours: number, theirs: number) => Math.round((100 * ours) / theirs) / 100;
  return {
    forwardTFLOPs: Math.round(rate(forward, 1)),
    forwardBackwardTFLOPs: Math.round(rate(both, 3)),
    ofPublishedForward: share(rate(forward, 1), published.forward),
    ofPublishedForwardBackward: share(rate(both, 3), ofBoth),
  };
}

/** Times of ScatterMoE as multiples of ours too, or why there are none; nothing where it is absent. */
function scattermoeColumns(
  line: Record<string, number | string>,
  ours: { readonly forward: number; readonly forwardBackward: number },
): Row {
  if (line.failed !== undefined) return { scattermoe: `failed: ${line.failed}` };
  if (line.forward === undefined) return {};
  const [forward, both] = [Number(line.forward), Number(line.forward_backward)];
  const ratio = (a: number, b: number) => Math.round((100 * a) / b) / 100;
  return {
    scattermoeForward: forward,
    scattermoeForwardBackward: both,
    overScattermoeForward: ratio(forward, ours.forward),
    overScattermoeForwardBackward: ratio(both, ours.forwardBackward),
    scattermoeError: Number(line.error),
  };
}

/** Our times beside those of the peers; `speedup` is over the faster one of PyTorch's. */
export function compared(
  { shape, form, row: ours }: { shape: GpuShape; form: Form; row: Row },
  lines: readonly Record<string, number | string>[],
  ceilings: Record<string, number | string>,
): Row {
  const peer = (name: string) =>
    lines.find((line) =>
      line.shape === shape.name && line.peer === name && (line.form ?? form) === form
    ) ?? {};
  const [eager, compiled, scatter, errors] = ["eager", "compile", "scattermoe", "errors"].map(peer);
  const best = (key: string) =>
    Math.min(...[eager, compiled].map((line) => Number(line[key] ?? Infinity)));
  const { forward, forwardBackward, parts, ...others } = ours;
  if (typeof forward !== "number" || typeof forwardBackward !== "number") {
    throw new SchemoeError(`Cannot compare shape "${shape.name}": it has no times`);
  }
  const ratio = (a: number, b: number) => Math.round((100 * a) / b) / 100;
  const rate = (ms: number, passes: number) =>
    ratio((passes * flopsOf(shape)) / ms / 1e9, Number(ceilings.matmul_tflops));
  const { shape: _shape, peer: _peer, form: _form, flipped, gap, ...differences } = errors;
  const floors = floorsOf(shape, {
    rows: shape.tokens * shape.topK * Number(ours.padding),
    copyTBs: Number(ceilings.copy_tbs),
    matmulTFLOPs: Number(ceilings.matmul_tflops),
  });
  return {
    shape: shape.name,
    form,
    forward,
    forwardBackward,
    eagerForward: Number(eager.forward ?? NaN),
    eagerForwardBackward: Number(eager.forward_backward ?? NaN),
    compileForward: Number(compiled.forward ?? NaN),
    compileForwardBackward: Number(compiled.forward_backward ?? NaN),
    ...scattermoeColumns(scatter, { forward, forwardBackward }),
    speedupForward: ratio(best("forward"), forward),
    speedupForwardBackward: ratio(best("forward_backward"), forwardBackward),
    ofMatmulForward: rate(forward, 1),
    ofMatmulForwardBackward: rate(forwardBackward, 3),
    ...others,
    ...publishedRates(shape, forward, forwardBackward),
    flippedTokens: Number(flipped ?? NaN),
    flippedGap: Number(gap ?? NaN),
    errors: Object.entries(differences).map(([name, e]) => `${name} ${Number(e).toExponential(1)}`)
      .join(", "),
    parts,
    floors: printFloors(floors),
  };
}
