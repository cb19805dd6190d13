/** Kinds of the things that functions take: worlds, graphs, layers, runs, routings. @module */
import { isObject, type Kind, kind, remembered } from "./kind.ts";
import { listOf, maybe, numbersOf, record } from "./made.ts";
import { aCount, aFunction, aNumber, anyNumber, aSize, aText, finite, something } from "./plain.ts";

export const aLink: Kind = record("a link { alpha, beta }", { alpha: finite, beta: finite });
export const aTopology: Kind = remembered(record(
  "a topology, such as topology({ nodes: 2, ranksPerNode: 4 })",
  {
    nodes: aCount,
    ranksPerNode: aCount,
    ranks: aCount,
    links: record("links { intra, inter, local }", { intra: aLink, inter: aLink, local: aLink }),
    processor: something,
  },
));
export const aTask: Kind = record("a task of a graph, such as graph.tasks[0]", {
  name: aText,
  kind: aText,
  after: something,
});
export const aGraph: Kind = remembered(
  record("a graph of tasks, such as run.ran[0].program.graph", {
    topology: aTopology,
    tasks: listOf(aTask, "tasks"),
    configuration: something,
    // buffers are sized when they are asked for, which may need all plans
  }),
);
export const aProgram: Kind = remembered(record("a Program, such as run.ran[0].program", {
  graph: aGraph,
  order: listOf(aTask, "tasks"),
  waits: something,
  dependencies: something,
}));
export const someEvents: Kind = record("a table of events, such as run.ran[0].events", {
  position: numbersOf(anyNumber),
  rank: numbersOf(anyNumber),
  ready: numbersOf(anyNumber),
  start: numbersOf(anyNumber),
  end: numbersOf(anyNumber),
  wait: numbersOf(anyNumber),
});
export const aBuilder: Kind = record(
  'a GraphBuilder, such as new GraphBuilder(topology, "forward", 1)',
  { topology: aTopology, add: aFunction },
);

/** A layer whose defaults are filled in. */
export const aLayer: Kind = remembered(
  record("a resolved layer, such as resolveLayer(config, topology)", {
    topology: aTopology,
    experts: aCount,
    modelDim: aCount,
    gate: something,
    expert: something,
    routing: something,
    parallel: something,
    groups: something,
  }),
);
export const aLayerConfig: Kind = record(
  "sizes of a layer, such as { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 8 }",
  { tokens: something, modelDim: aCount, hiddenDim: aCount, experts: aCount },
);
/** What `createLayer` gives, and what takes passes like it. */
export const aMoeLayer: Kind = record("a layer, such as createLayer(engine, sizes)", {
  forward: aFunction,
  backward: aFunction,
});
export const aModel: Kind = record("a model, such as createModel(engine, sizes)", {
  step: aFunction,
  evaluate: aFunction,
});
export const anEngine: Kind = record(
  'an engine, such as openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 })',
  { kind: aText, topology: aTopology, run: aFunction, workspace: aFunction },
);

/** An Arquero table. */
const isTable = (value: unknown): boolean =>
  isObject(value) && typeof value.column === "function" && typeof value.indices === "function";
export const aRun: Kind = kind(
  "a run or its timeline, such as await layer.forward()",
  (value) => isTable(value) || isObject(value) && isTable(value.timeline),
);

export const aScheduler: Kind = record("a scheduler, such as optSche", {
  name: aText,
  order: aFunction,
});
export const anAllToAll: Kind = record("an all-to-all, such as pipe", {
  name: aText,
  plan: aFunction,
});
export const aCodec: Kind = record("a codec, such as fp16", { name: aText, wireBytes: aFunction });
export const someCosts: Kind = record("costs, such as modelCosts(topology)", {
  seconds: aFunction,
});

export const someLoads: Kind = record("loads of experts, such as loadsOf(trace)", {
  ranks: aCount,
  experts: aCount,
  table: numbersOf(anyNumber),
});
export const aTrace: Kind = record(
  "a routing, such as uniformRouting({ ranks: 4, tokens: 64, experts: 8, topK: 2 })",
  { ranks: aCount, experts: aCount, topK: aCount, tokens: aFunction, choices: aFunction },
);
export const someTraffic: Kind = record(
  "traffic between ranks, such as trafficOfLoads(loads, bytesPerToken)",
  { ranks: aCount, bytes: aFunction },
);
export const aPlacement: Kind = record("a placement, such as identityPlacement(experts, ranks)", {
  experts: aCount,
  slots: listOf(numbersOf(aSize), "lists of experts"),
});

export const aView: Kind = record('a place of a buffer, such as { buffer: "x", offset: 0 }', {
  buffer: aText,
  offset: finite,
});
export const aMatrix: Kind = record(
  'a matrix, such as { buffer: "x", offset: 0, rows: 4, columns: 8, ld: 8, groups: 1, stride: 32 }',
  {
    buffer: aText,
    offset: finite,
    rows: aSize,
    columns: aSize,
    ld: anyNumber,
    groups: aSize,
    stride: anyNumber,
  },
);
const aTransfer = record('a transfer, such as { kind: "send", peer: 1, bytes: 4096 }', {
  kind: aText,
  peer: aSize,
  bytes: finite,
});
/** Transfers of a rank, as a list or one after another: a list is looked at by its first. */
export const someTransfers: Kind = kind(
  `transfers such as [{ kind: "send", peer: 1, bytes: 4096 }]`,
  (value) =>
    Array.isArray(value) ? value.length === 0 || aTransfer.accepts(value[0]) : isObject(value) &&
      typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function",
);
/** A task of which `kernels` or `transfers` may be asked. */
export const aTransferTask: Kind = kind(
  "a task of a graph that transfers, such as one of an all-to-all",
  // not their values: these may be plans that are made when they are asked for
  (value) =>
    aTask.accepts(value) && isObject(value) && ("traffic" in value || "transfers" in value),
);
/** A task that computes, or transfers and has no kernels. */
export const aKernelTask: Kind = record("a task of a graph, such as graph.tasks[0]", {
  name: aText,
  kind: aText,
  kernels: maybe(aFunction),
});
const aLinkTraffic = record("traffic { sends, sent, receives, received }", {
  sends: aNumber,
  sent: aNumber,
  receives: aNumber,
  received: aNumber,
});
export const someRankTraffic: Kind = record(
  "traffic of a rank, such as trafficOf(topology, task).pattern.of(rank)",
  { copied: aNumber, intra: aLinkTraffic, inter: aLinkTraffic },
);
/** A world whose nodes hang on leaf switches. */
export const aSpinedTopology: Kind = kind(
  "a topology with a spine, such as topology({ nodes: 4, ranksPerNode: 2, spine: { oversubscription: 2 } })",
  (value) => aTopology.accepts(value) && isObject(value) && isObject(value.spine),
);
export const someGroups: Kind = listOf(
  record("a group of tokens { source, node, ranks }", {
    source: aSize,
    node: aSize,
    ranks: numbersOf(aSize),
  }),
  "groups of tokens, such as those of tokenGroups(trace, { ranksPerNode })",
);
export const aCollective: Kind = record(
  "a collective, such as nodeDispatch(topology, groups)",
  { name: aText, inputs: aFunction, outputs: aFunction, terms: aFunction, plan: aFunction },
);
/** Position of a reduction in its graph. */
export const aPlaceInGraph: Kind = record("a place of a graph { name, stage, chunk, after }", {
  name: aText,
  stage: aNumber,
  chunk: aNumber,
  after: listOf(aTask, "tasks"),
});
export const aCandidate: Kind = record(
  'choices such as { scheduler: "optSche", allToAll: "pipe", compressor: "none", chunks: 2 }',
  { scheduler: something, allToAll: something, compressor: something, chunks: something },
);

/** Places of buffers by their names; one that ends with `?` may be left out. */
export const someViews = (...names: readonly string[]): Kind => {
  const fields = names.map((name): [string, Kind] =>
    name.endsWith("?") ? [name.slice(0, -1), maybe(aView)] : [name, aView]
  );
  return record(`places of buffers { ${names.join(", ")} }`, Object.fromEntries(fields));
};
/** Sizes by their names. */
export const someSizes = (...names: readonly string[]): Kind =>
  record(`sizes { ${names.join(", ")} }`, Object.fromEntries(names.map((name) => [name, aSize])));
/** Tensors to write, by their names. */
export const someTensors: Kind = kind(
  'tensors by name, such as { w: { dtype: "F32", shape: [4], data: new Float32Array(4) } }',
  (value) =>
    isObject(value) &&
    (value instanceof Map ? [...value.values()] : Object.values(value)).every((tensor) =>
      isObject(tensor) && typeof tensor.dtype === "string" && Array.isArray(tensor.shape)
    ),
);
/** Lanes of a link between two ranks, as a square. */
export const someLanes: Kind = kind(
  "lanes between ranks, such as RING4: a list of equally long lists of numbers",
  (value) =>
    Array.isArray(value) && value.length > 0 &&
    value.every((row) => numbersOf(aSize).accepts(row) && row.length === value.length),
);
/** A profile of a machine, as far as predictions go by it. */
export const aProfile: Kind = record("a profile, such as await calibrate(engine)", {
  format: aText,
  machine: something,
  engine: something,
  kinds: something,
  links: something,
  launch: something,
  slowdown: something,
});
