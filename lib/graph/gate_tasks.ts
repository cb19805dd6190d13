/** The tasks of a gate: its routing, the losses on it, its gradients and updates. @module */
import { type Layer, ofRank } from "../blocks/mod.ts";
import { checked, fill } from "../kernels/mod.ts";
import { elements, gateTensors } from "../memory/mod.ts";
import type { GateContext } from "../blocks/gates/types.ts";
import type { Matrix } from "../kernels/types.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { Loss } from "../blocks/losses/types.ts";
import { kernelsOf } from "../user_code.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import {
  busyRanks,
  gateContext,
  gateUses,
  lossContext,
  lossTensors,
  lossUses,
} from "./gate_context.ts";
import { addAllReduce } from "./reduce.ts";

/** Adds the gate and the losses on its routing; what comes after a routing comes after the task given back. */
export function addGate(g: GraphBuilder, layer: Layer): Task {
  const c = gateContext(g, layer);
  const { gate, losses } = layer;
  const local = losses.filter((loss) => !isSummed(layer, loss));
  const total = g.tensor(tensorsOf(layer), "aux_loss");
  const { balance, importance } = c.slopes;
  const sums = [balance, importance].filter((view) => view !== undefined);
  const summed = losses.filter((loss) => isSummed(layer, loss));
  const counts = summed.map((loss) => partOf(g, layer, loss));
  const task = g.add({
    kind: "gate",
    label: "gate",
    chunk: -1,
    stage: 0,
    after: [],
    flops: gate.flops({ ...layer, rows: layer.gateRows }).forward,
    uses: [
      ...gateUses(layer, c, "forward"),
      total,
      ...counts,
      ...losses.flatMap((loss) => lossUses(layer, loss, lossContext(g, layer, loss))),
    ],
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) {
        return [
          fill(layer.gateRows, c.loads, 0),
          fill(1, total, 0),
          ...losses.map((loss) => fill(1, lossContext(g, layer, loss).loss, 0)),
          ...counts.map((view) => fill(layer.gateRows, view, 0)),
        ];
      }
      const context = own === layer ? c : gateContext(g, own);
      return [
        ...checked(
          kernelsOf(`the gate "${gate.name}"`, "forward pass", () => gate.forward(context)),
          [weightsOf(context)],
        ),
        fill(1, total, 0),
        ...sums.map((view) => fill(layer.gateRows, view, 0)),
        ...local.flatMap((loss) => lossKernels(g, own, loss)),
        ...summed.flatMap((loss, i) => {
          const context = { ...lossContext(g, own, loss), counts: counts[i] };
          return loss.count ? byLoss(loss, "count", () => loss.count!(context)) : [];
        }),
      ];
    },
  });
  addSummedLosses(g, layer, { losses: summed, counts, after: task });
  return task;
}

const weightsOf = ({ tokens, topK, weights }: GateContext): Matrix => ({
  ...weights,
  rows: tokens,
  columns: topK,
  ld: topK,
  groups: 1,
  stride: 0,
});

const isSummed = ({ topology: { ranks } }: Layer, { global = false }: Loss) => global && ranks > 1;

const partOf = (g: GraphBuilder, layer: Layer, { name }: Loss): View =>
  g.tensor(tensorsOf(layer), `loss.${name}.counts`);

function lossKernels(g: GraphBuilder, layer: Layer, loss: Loss): Kernel[] {
  const c = lossContext(g, layer, loss);
  return [
    ...(loss.count ? byLoss(loss, "count", () => loss.count!(c)) : []),
    ...byLoss(loss, "forward pass", () => loss.forward(c)),
  ];
}

const byLoss = ({ name }: Loss, what: string, run: () => readonly Kernel[]): readonly Kernel[] =>
  kernelsOf(`the loss "${name}"`, what, run);

/** Losses over all ranks: their counts are summed while rows are on their way, and no row waits for it. */
function addSummedLosses(
  g: GraphBuilder,
  layer: Layer,
  { losses, counts, after }: {
    readonly losses: readonly Loss[];
    readonly counts: readonly View[];
    readonly after: Task;
  },
): void {
  if (losses.length === 0) return;
  const contexts = losses.map((loss) => lossContext(g, layer, loss));
  const reduced = losses.map((loss, i) =>
    addAllReduce(
      g,
      { name: `loss.${loss.name}`, stage: 1, chunk: g.chunks, after: [after] },
      { part: counts[i], sum: contexts[i].counts, count: layer.gateRows },
    )
  );
  const gate = gateContext(g, layer);
  g.add({
    kind: "gate",
    label: "loss",
    chunk: g.chunks,
    stage: 4,
    after: reduced,
    uses: [
      ...gateUses(layer, gate, "forward"),
      ...losses.flatMap((loss, i) => lossUses(layer, loss, contexts[i])),
    ],
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return [];
      return losses.flatMap((loss) => {
        const context = lossContext(g, own, loss);
        return byLoss(loss, "forward pass", () => loss.forward(context));
      });
    },
  });
}

/** Position of the gate's tasks in a backward pass. */
interface Place {
  readonly stage: number;
  readonly after: readonly Task[];
}

/** Adds the gradient of the gate: this rank's part, added to or begun in that of x. */
export function addGateGrad(g: GraphBuilder, layer: Layer, { stage, after }: Place): Task {
  const c = gateContext(g, layer);
  const { gate } = layer;
  const losses = layer.losses.filter((loss) => loss.backward);
  return g.add({
    kind: "gate",
    label: "gate",
    chunk: g.chunks,
    stage,
    after,
    flops: gate.flops({ ...layer, rows: layer.gateRows }).backward,
    uses: [
      ...gateUses(layer, c, "backward"),
      ...losses.flatMap((loss) => lossTensors(layer, loss, lossContext(g, layer, loss))),
    ],
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return emptyGradients(c, layer);
      const context = own === layer ? c : gateContext(g, own);
      return [
        ...kernelsOf(`the gate "${gate.name}"`, "backward pass", () => gate.backward(context)),
        ...losses.flatMap((loss) => {
          const of = lossContext(g, own, loss);
          return byLoss(loss, "backward pass", () => loss.backward!(of));
        }),
      ];
    },
  });
}

/** Gradients of a rank without tokens. */
const emptyGradients = (c: GateContext, layer: Layer): Kernel[] =>
  gateTensors(layer).filter(({ life }) => life === "parameter")
    .map(({ name, shape }) => fill(elements(shape), c.gradient(name), 0));

/** Adds the all-reduce of the gate's gradients, and its update without a gradient. */
export function addGateSums(g: GraphBuilder, layer: Layer, { stage, after }: Place): void {
  const table = tensorsOf(layer);
  const { gate, topology: { ranks }, gateRows } = layer;
  const c = gateContext(g, layer);
  const place = { stage, chunk: g.chunks };
  if (ranks > 1) {
    for (const { name, shape, life } of gateTensors(layer)) {
      if (life !== "parameter") continue;
      const sum = g.tensor(table, `grad.gate.${name}`);
      addAllReduce(
        g,
        { ...place, name: name === "weight" ? "grad.gate" : `grad.gate.${name}`, after },
        { part: c.gradient(name), sum, count: elements(shape) },
      );
    }
  }
  if (!gate.update) return;
  const { update } = gate;
  const part = g.tensor(table, "gate.update.part");
  const uses = [...gateUses(layer, c, "forward"), part];
  const found = g.add({
    kind: "gate",
    label: "load",
    ...place,
    after,
    uses,
    kernels: (rank) => {
      const own = ofRank(layer, rank);
      if (own.tokens === 0) return [fill(gateRows, part, 0)];
      const context = own === layer ? c : gateContext(g, own);
      return kernelsOf(`the update "${update.name}"`, "part", () => update.part(context, part));
    },
  });
  const sum = ranks > 1 ? g.tensor(table, "gate.update.sum") : part;
  const summed = ranks > 1
    ? addAllReduce(g, { ...place, stage: stage + 1, name: "update", after: [found] }, {
      part,
      sum,
      count: gateRows,
    })
    : found;
  g.add({
    kind: "gate",
    label: "update",
    chunk: g.chunks,
    stage: stage + 4,
    after: [summed],
    uses: [...uses, sum],
    kernels: () => {
      const of = { ...sum, ranks: busyRanks(layer) };
      return kernelsOf(`the update "${update.name}"`, "apply", () => update.apply(c, of));
    },
  });
}
