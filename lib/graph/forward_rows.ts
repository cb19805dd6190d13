/** How the rows of a forward pass get to the experts and their results back to the tokens. @module */
import { elementBytes } from "../blocks/mod.ts";
import { combineRows } from "../kernels/mod.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { declareExperts, rowsBuffer } from "./contexts.ts";
import { dispatchTokens, rowBytes } from "./dispatch.ts";
import { gateContext } from "./gate_context.ts";
import { addLeg, LEG_STAGES } from "./leg.ts";
import type { Codecs, Way } from "./way.ts";
import type { NodeWay } from "./node_buffers.ts";
import { NodeLegs } from "./node_legs.ts";
import { rowChoices } from "./placed.ts";
import { scoresByActivation } from "./score_buffers.ts";

/** A part of the tasks `dispatch` or `combine`. */
export interface RowsPart<At> {
  readonly uses: readonly (string | View)[];
  /** Of memory traffic on the busiest rank. */
  readonly bytes: number;
  readonly kernels: (rank: number, at: At) => Kernel[];
}

/** Rows of a forward pass. */
export interface ForwardRows {
  /** Buffers that experts name. */
  readonly experts: readonly string[];
  /** From tokens. */
  readonly send: RowsPart<{ readonly x: View }>;
  /** To the experts, and back. */
  out(chunk: number, after: readonly Task[]): Task[];
  back(chunk: number, after: readonly Task[]): Task[];
  /** To tokens, or added to what is there. */
  readonly gather: RowsPart<{ readonly y: View; readonly add: boolean }>;
}

/** Stages of the two ways. */
const STAGE = { out: 2, back: 3 + LEG_STAGES };

/** Rows of a forward pass, which cross for each choice, or once to a node. */
export const forwardRows = (
  g: GraphBuilder,
  way: Way,
  compressor: Codecs,
): ForwardRows =>
  way.node ? onceANode(g, { ...way, node: way.node }, compressor) : eachChoice(g, way, compressor);

function eachChoice(
  g: GraphBuilder,
  way: Way,
  compressor: Codecs,
): ForwardRows {
  const { layer } = way;
  const { weights } = gateContext(g, layer);
  const sent = rowsBuffer(way, "forward.sent", "expert.x");
  const returned = rowsBuffer(way, "forward.returned", "expert.y");
  const kept = scoresByActivation(layer) ? "pass" : "saved";
  const { forward: experts } = declareExperts(g, way, returned === "expert.y" ? kept : "pass");
  if (sent !== "expert.x") g.buffer(sent, () => rowBytes(way), "pass");
  if (returned !== "expert.y") g.buffer(returned, () => rowBytes(way), kept);
  const placed = rowChoices(g, way);
  const spread = dispatchTokens(g, way, { fill: true });
  const [out, rows] = [sent, returned].map((buffer) => ({ buffer, offset: 0 }));
  const { prescore } = layer;
  return {
    experts,
    send: {
      uses: [...spread.uses, weights, out],
      bytes: 2 * rowBytes(way),
      kernels: (rank, { x }) =>
        spread.kernels(rank, { x, weights: prescore ? weights : undefined, out }),
    },
    out: (chunk, after) =>
      addLeg(g, way, {
        number: 1,
        ...{ chunk, stage: STAGE.out, after, compressor: compressor.dispatch },
        ...{ from: sent, to: "expert.x" },
      }),
    back: (chunk, after) =>
      addLeg(g, way, {
        number: 2,
        ...{ chunk, stage: STAGE.back, after, compressor: compressor.combine },
        ...{ from: "expert.y", to: returned },
      }),
    gather: {
      uses: [rows, placed.choices, placed.positions, weights],
      bytes: rowBytes(way) + elementBytes(layer) * layer.tokens * layer.rowDim,
      kernels: (rank, { y, add }) => [
        combineRows(way.rows.places(rank), {
          rows,
          ...{ choices: placed.choices, positions: placed.positions, y, add },
          weights: prescore ? undefined : weights,
        }),
      ],
    },
  };
}

/** The results of experts stay with them: backward needs them there, unless activations do. */
function onceANode(g: GraphBuilder, way: NodeWay, { dispatch, combine }: Codecs): ForwardRows {
  const { layer } = way;
  const { weights } = gateContext(g, layer);
  const { forward: experts } = declareExperts(
    g,
    way,
    scoresByActivation(layer) ? "pass" : "saved",
  );
  const legs = new NodeLegs(g, way, { out: dispatch, back: combine });
  const tokenBytes = elementBytes(layer) * layer.tokens * layer.rowDim;
  return {
    experts,
    send: {
      uses: [...legs.sendUses, weights, "expert.x"],
      bytes: legs.sendBytes,
      kernels: (rank, { x }) => [...legs.clear("expert.x"), ...legs.send(rank, { x, weights })],
    },
    out: (chunk, after) =>
      legs.out({ chunk, stage: STAGE.out, after, rows: "expert.x", weighted: false }),
    back: (chunk, after) =>
      legs.back({ chunk, stage: STAGE.back, after, rows: "expert.y", weighted: true }),
    gather: {
      uses: legs.gatherUses,
      bytes: legs.sendBytes / 2 + tokenBytes,
      kernels: (rank, { y, add }) => legs.gather(rank, { y, add }),
    },
  };
}
