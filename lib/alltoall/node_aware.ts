/** Dispatch and combine in which each token crosses once to a node. @module */
import { aTopology, expect, someGroups } from "../arguments/mod.ts";
import type { Topology } from "../types.ts";
import { combinePhases, dispatchPhases } from "./node_phases.ts";
import { checkGroups, layoutOf, type TokenGroup } from "./token_groups.ts";
import type { Collective } from "./types.ts";

/**
 * Dispatch with one copy of a token for each node (as DeepEP and HierMoE do): a group of tokens crosses once, to the
 * rank of equal place in the other node, which hands it to all ranks there that have experts for it.
 *
 * Slices of a rank's input are its groups by node, those of its output the groups that go to it, as
 * {@linkcode groupOrder} gives them. Each pair of ranks exchanges one message.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { nodeDispatch, proveCollective } from "@schemoe/lab/alltoall";
 * const world = topology({ nodes: 2, ranksPerNode: 2 });
 * const groups = [{ source: 0, node: 1, ranks: [2, 3] }];
 * // rank 0 sends to rank 2, which keeps a copy and sends one to rank 3, from where it lies beside others
 * console.assert(proveCollective(nodeDispatch(world, groups), world).moves === 4);
 * ```
 * @throws {SchemoeError} for a group of ranks that are not of its node.
 */
export function nodeDispatch(topology: Topology, groups: readonly TokenGroup[]): Collective {
  expect("nodeDispatch", "topology", topology, aTopology);
  expect("nodeDispatch", "groups", groups, someGroups);
  checkGroups(topology, groups);
  // where its rows are only counted no plan is asked for
  const layout = () => layoutOf(topology, groups);
  return {
    name: "nodeDispatch",
    inputs: (rank) => layout().sent[rank].length,
    outputs: (rank) => layout().received[rank].length,
    terms(rank, index) {
      const group = layout().received[rank][index];
      return [[groups[group].source, layout().place[group]]];
    },
    plan: ({ rank }) => dispatchPhases(layout(), rank),
  };
}

/**
 * The way back: results of a group are added in the node first, in the order of its ranks, and the sum crosses once.
 * Its input and output are output and input of {@linkcode nodeDispatch}. A token's results from several nodes are
 * added afterwards, so sums have another order than those of choice after choice.
 *
 * @throws {SchemoeError} for a group of ranks that are not of its node.
 */
export function nodeCombine(topology: Topology, groups: readonly TokenGroup[]): Collective {
  expect("nodeCombine", "topology", topology, aTopology);
  expect("nodeCombine", "groups", groups, someGroups);
  checkGroups(topology, groups);
  const layout = () => layoutOf(topology, groups);
  return {
    name: "nodeCombine",
    inputs: (rank) => layout().received[rank].length,
    outputs: (rank) => layout().sent[rank].length,
    terms(rank, index) {
      const group = layout().sent[rank][index];
      return groups[group].ranks.map((from) => [from, layout().placeAt(from, group)] as const);
    },
    plan: ({ rank }) => combinePhases(layout(), rank),
  };
}
