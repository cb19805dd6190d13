/** The tasks of a shared expert: on the tokens of its own rank, so that they wait for no transfer. @module */
import { type Layer, ofRank, tokensOf } from "../blocks/mod.ts";
import { checked, fill, gatedRows, gemm, host, matrixOf } from "../kernels/mod.ts";
import { elements, sharedParameters } from "../memory/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import { type Kernel, SchemoeError, type Task } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import { addAllReduce } from "./reduce.ts";

/** What its kernels see, and names of all its buffers in a pass. */
interface Shared {
  readonly context: ExpertContext;
  readonly uses: string[];
  /** Of a gated one: logits [tokens, 1], the weight of its gate, and their gradients. */
  readonly gate?: Readonly<Record<"logits" | "dLogits" | "weight" | "dWeight", Matrix>>;
}

function sharedOf(g: GraphBuilder, layer: Layer): Shared {
  const { shared, tokens, modelDim, topology: { ranks } } = layer;
  const { expert, hiddenDim, gate } = shared!;
  const table = tensorsOf(layer);
  const uses = new Set<string>();
  const matrix = (name: string, rows: number, columns: number): Matrix => {
    const dtype = table.get(name).dtype as Matrix["dtype"];
    const view = g.tensor(table, name);
    uses.add(name);
    return matrixOf(view, rows, columns, dtype);
  };
  const rows = (name: string) => matrix(name, tokens, modelDim);
  const parameter = (prefix: string, name: string) => {
    const { shape } = sharedParameters(layer).find((given) => given.name === name) ??
      fail(`the shared expert "${expert.name}" has no parameter "${name}"`);
    const [first, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    return matrix(`${prefix}${name}`, first, columns);
  };
  const gradients = ranks > 1 ? "shared.partial." : "grad.shared.";
  const shape = { modelDim, hiddenDim };
  const own = gate === "none";
  const backward = g.pass === "backward";
  const context: ExpertContext = {
    shape,
    experts: 1,
    firstExpert: 0,
    first: true,
    host,
    x: rows("x"),
    y: rows(own ? "y" : "shared.y"),
    dx: rows("grad.x"),
    dy: backward ? rows(own ? "dy" : "shared.dy") : rows("dy"),
    parameter: (name) => parameter("shared.", name),
    gradient: (name) => parameter(gradients, name),
    saved: (name) => {
      const found = expert.saved(shape).find((given) => given.name === name) ??
        fail(`the shared expert "${expert.name}" saves nothing called "${name}"`);
      return matrix(`shared.saved.${name}`, tokens, found.columns);
    },
  };
  for (const { name } of expert.saved(shape)) context.saved(name);
  for (const { name } of sharedParameters(layer)) {
    context.parameter(name);
    if (backward) context.gradient(name);
  }
  if (own) return { context, uses: [...uses] };
  const column = (name: string) => matrix(name, tokens, 1);
  const vector = (name: string) => ({ ...matrix(name, modelDim, 1) });
  return {
    context,
    gate: {
      logits: column("shared.logits"),
      dLogits: backward ? column("shared.dLogits") : column("shared.logits"),
      weight: vector("shared.gate"),
      dWeight: vector(backward ? `${gradients}gate` : "shared.gate"),
    },
    uses: [...uses],
  };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot build the graph: ${problem}`);
}

/** Adds the shared expert, to whose output combine adds; it waits for no transfer. */
export function addShared(g: GraphBuilder, layer: Layer): Task[] {
  const { shared, tokens } = layer;
  if (!shared) return [];
  const { uses } = sharedOf(g, layer);
  const flops = tokens * shared.expert.flops({ ...layer, hiddenDim: shared.hiddenDim }).forward;
  return [g.add({
    kind: "expert",
    label: "S",
    chunk: g.chunks,
    stage: 0,
    after: [],
    flops,
    uses,
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return [];
      const { context, gate } = sharedOf(g, own);
      return [
        ...checked(shared.expert.forward(context), [context.y]),
        ...(gate ? [gemm(context.x, gate.weight, gate.logits)] : []),
      ];
    },
  })];
}

/** Kernels after combine: adds the gated output of the shared expert. */
export function sharedCombine(
  g: GraphBuilder,
  layer: Layer,
): { kernels: (rank: number) => Kernel[]; uses: string[] } {
  if (layer.shared?.gate !== "sigmoid") return { kernels: () => [], uses: [] };
  const { context, gate, uses } = sharedOf(g, layer);
  const { dtype, modelDim: columns } = layer;
  const y = g.tensor(tensorsOf(layer), "y");
  const views = { logits: gate!.logits, rows: context.y, y };
  return {
    kernels: (rank) => [gatedRows({ dtype, tokens: tokensOf(layer, rank), columns }, views)],
    uses: [...uses, "y"],
  };
}

/**
 * Adds both gradients of the shared expert; the first begins the gradient of x, to which others add.
 * @throws {SchemoeError} when it has no backward.
 */
export function addSharedGrad(g: GraphBuilder, layer: Layer, stage: number): Task[] {
  const { shared, dtype, tokens, modelDim: columns } = layer;
  if (!shared) return [];
  const { inputGrad, weightGrad } = shared.expert;
  if (!inputGrad || !weightGrad) {
    throw new SchemoeError(
      `Cannot run backward: the shared expert "${shared.expert.name}" is forward only`,
    );
  }
  const table = tensorsOf(layer);
  const { uses } = sharedOf(g, layer);
  const flops = shared.expert.flops({ ...layer, hiddenDim: shared.hiddenDim });
  const place = { chunk: g.chunks, uses: [...uses, "dy"] };
  const dy = g.tensor(table, "dy");
  const input = g.add({
    kind: "expertInputGrad",
    label: "Si",
    stage: 0,
    after: [],
    ...place,
    flops: tokens * flops.inputGrad,
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return [];
      const { context, gate } = sharedOf(g, own);
      return [
        ...(gate
          ? [
            gatedRows({ dtype, tokens: own.tokens, columns }, {
              logits: gate.logits,
              rows: context.y,
              y: dy,
              dRows: context.dy,
              dLogits: gate.dLogits,
            }),
          ]
          : []),
        ...checked(inputGrad.call(shared.expert, context), [context.dx]),
        ...(gate ? [gemm(gate.dLogits, gate.weight, context.dx, { transB: true, add: true })] : []),
      ];
    },
  });
  /** Gradients of a rank without tokens, which there are only among several. */
  const empty = () =>
    sharedParameters(layer).map(({ name, shape }) =>
      fill(elements(shape), g.tensor(table, `shared.partial.${name}`), 0)
    );
  const weights = g.add({
    kind: "expertWeightGrad",
    label: "Sw",
    stage: 0,
    after: [input],
    ...place,
    flops: tokens * flops.weightGrad,
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return empty();
      const { context, gate } = sharedOf(g, own);
      return [
        ...weightGrad.call(shared.expert, context),
        ...(gate ? [gemm(context.x, gate.dLogits, gate.dWeight, { transA: true })] : []),
      ];
    },
  });
  if (layer.topology.ranks > 1) {
    for (const { name, shape } of sharedParameters(layer)) {
      const part = g.tensor(table, `shared.partial.${name}`);
      const sum = g.tensor(table, `grad.shared.${name}`);
      addAllReduce(
        g,
        { name: `grad.shared.${name}`, stage, chunk: g.chunks, after: [weights] },
        { part, sum, count: elements(shape) },
      );
    }
  }
  return [input];
}
