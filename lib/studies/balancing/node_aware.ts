/** What it saves that a token crosses once to a node. @module */
import {
  aCount,
  anAllToAll,
  aTopology,
  aTrace,
  expect,
  maybe,
  options,
  someGroups,
} from "../../arguments/mod.ts";
import { pipe } from "../../alltoall/mod.ts";
import { nodeCombine, nodeDispatch } from "../../alltoall/node_aware.ts";
import { nodeCounts } from "../../alltoall/node_counts.ts";
import { groupOrder } from "../../alltoall/token_groups.ts";
import { simulate } from "../../engines/mod.ts";
import { addCollective } from "../../graph/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import { loadsOf, type RoutedGroup, tokenGroups, trafficOfLoads } from "../../routing/mod.ts";
import type { Program } from "../../engine.ts";
import type { AllToAll, TrafficMatrix } from "../../alltoall/types.ts";
import type { RouterTrace } from "../../routing/types.ts";
import type { Topology } from "../../types.ts";
import { unevenProgram } from "./exchange.ts";

const COMPARE_DISPATCH_OPTIONS = options({ rowBytes: aCount, allToAll: maybe(anAllToAll) });

/** What of a token travels. */
export type Copies = "one for each choice" | "one for each rank" | "one for each node";

/** One way to dispatch and combine. */
export interface DispatchRow {
  /** What of a token travels. */
  readonly copies: Copies;
  /** Bytes between nodes of the rank that sends most, on the way to the experts. */
  readonly betweenNodes: number;
  /** The same of all ranks together. */
  readonly allBetweenNodes: number;
  /** Simulated milliseconds of the way to the experts. */
  readonly dispatchMs: number;
  /** Simulated milliseconds of the way back, sums included. */
  readonly combineMs: number;
}

/**
 * Dispatch of token groups: buffers `input` hold the rows of a rank's groups one after another, `output` those of
 * the groups that it gets, in the order of `groupOrder`.
 */
export function nodeDispatchProgram(
  topology: Topology,
  groups: readonly RoutedGroup[],
  rowBytes: number,
): Program {
  expect("nodeDispatchProgram", "topology", topology, aTopology);
  expect("nodeDispatchProgram", "groups", groups, someGroups);
  expect("nodeDispatchProgram", "rowBytes", rowBytes, aCount);
  return groupProgram(topology, groups, { rowBytes, back: false });
}

/** The way back of the same groups: `input` holds results, `output` their sums in each node, float32. */
export function nodeCombineProgram(
  topology: Topology,
  groups: readonly RoutedGroup[],
  rowBytes: number,
): Program {
  expect("nodeCombineProgram", "topology", topology, aTopology);
  expect("nodeCombineProgram", "groups", groups, someGroups);
  expect("nodeCombineProgram", "rowBytes", rowBytes, aCount);
  return groupProgram(topology, groups, { rowBytes, back: true });
}

function groupProgram(
  topology: Topology,
  groups: readonly RoutedGroup[],
  { rowBytes, back }: { readonly rowBytes: number; readonly back: boolean },
): Program {
  const { sent, received } = groupOrder(topology, groups);
  const rows = (group: number) => groups[group].tokens.length;
  const bytes = (group: number) => rows(group) * rowBytes;
  const [from, to] = back ? [received, sent] : [sent, received];
  const most = (lists: readonly (readonly number[])[]) =>
    lists.reduce(
      (most, list) => Math.max(most, list.reduce((sum, group) => sum + bytes(group), 0)),
      1,
    );
  const g = new GraphBuilder(topology, "forward", 1);
  addCollective(g, {
    ...{ label: "A", chunk: 0, stage: 0, after: [], scratch: "scratch" },
    collective: (back ? nodeCombine : nodeDispatch)(topology, groups),
    counts: nodeCounts(topology, { groups, rows })[back ? "combine" : "dispatch"],
    rowBytes,
    bytes: (rank, i) => bytes(from[rank][i]),
    input: g.buffer("input", most(from)),
    output: g.buffer("output", most(to)),
  });
  const name = back ? "nodeCombine" : "nodeDispatch";
  const graph = g.build({ allToAll: name });
  return buildProgram(graph, graph.tasks, name);
}

/**
 * Simulated times of dispatch and combine where a row travels for each choice of a token, for each rank that it goes
 * to, or for each node. Only the exchanges: adding up in the node is part of the combine, experts are not.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab";
 * import { uniformRouting } from "@schemoe/lab/routing";
 * import { compareDispatch } from "@schemoe/lab/studies";
 * const { topology } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 4 });
 * const trace = uniformRouting({ ranks: 8, tokens: 512, experts: 32, topK: 8 });
 * const [choice, rank, node] = compareDispatch(topology, trace, { rowBytes: 14336 });
 * console.assert(node.betweenNodes < rank.betweenNodes && rank.betweenNodes < choice.betweenNodes);
 * ```
 * @param options.rowBytes of a token, such as 2 modelDim; a multiple of 4.
 * @throws {SchemoeError} for a routing whose experts or ranks do not fit the world.
 */
export function compareDispatch(
  topology: Topology,
  trace: RouterTrace,
  options: { readonly rowBytes: number; readonly allToAll?: AllToAll },
): DispatchRow[] {
  expect("compareDispatch", "topology", topology, aTopology);
  expect("compareDispatch", "trace", trace, aTrace);
  expect("compareDispatch", "options", options, COMPARE_DISPATCH_OPTIONS);
  const { rowBytes, allToAll = pipe } = options;
  const { ranksPerNode } = topology;
  const groups = tokenGroups(trace, { ranksPerNode });
  const { ranks } = topology;
  const table = new Float64Array(ranks * ranks);
  for (const { source, ranks: to, tokens } of groups) {
    for (const rank of to) table[source * ranks + rank] += tokens.length * rowBytes;
  }
  const perRank: TrafficMatrix = { ranks, bytes: (from, to) => table[from * ranks + to] };
  const perChoice = trafficOfLoads(loadsOf(trace), rowBytes);
  const direct = (copies: Copies, traffic: TrafficMatrix): DispatchRow => {
    const back = { ranks, bytes: (from: number, to: number) => traffic.bytes(to, from) };
    return {
      copies,
      ...crossing(
        topology,
        (rank) => sum(ranks, (to) => sameNode(topology, rank, to) ? 0 : traffic.bytes(rank, to)),
      ),
      dispatchMs: milliseconds(unevenProgram(topology, allToAll, traffic)),
      combineMs: milliseconds(unevenProgram(topology, allToAll, back)),
    };
  };
  const once = crossing(
    topology,
    (rank) =>
      groups.reduce(
        (bytes, { source, node, tokens }) =>
          source === rank && node !== Math.floor(rank / ranksPerNode)
            ? bytes + tokens.length * rowBytes
            : bytes,
        0,
      ),
  );
  return [
    direct("one for each choice", perChoice),
    direct("one for each rank", perRank),
    {
      copies: "one for each node",
      ...once,
      dispatchMs: milliseconds(nodeDispatchProgram(topology, groups, rowBytes)),
      combineMs: milliseconds(nodeCombineProgram(topology, groups, rowBytes)),
    },
  ];
}

function crossing({ ranks }: Topology, sent: (rank: number) => number) {
  const all = Array.from({ length: ranks }, (_, rank) => sent(rank));
  return {
    betweenNodes: all.reduce((a, b) => Math.max(a, b), 0),
    allBetweenNodes: all.reduce((a, b) => a + b, 0),
  };
}

const sameNode = ({ ranksPerNode: m }: Topology, a: number, b: number) =>
  Math.floor(a / m) === Math.floor(b / m);

function sum(count: number, of: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += of(i);
  return total;
}

function milliseconds(program: Program): number {
  const { end } = simulate(program, program.graph.topology);
  return 1e-6 * end.reduce((a, b) => Math.max(a, b), 0);
}
