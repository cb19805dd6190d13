import { assert, assertEquals, assertThrows } from "@std/assert";
import { fp8 } from "../../lib/compressors/mod.ts";
import { nodeCombine, nodeDispatch } from "../../lib/alltoall/mod.ts";
import { groupOrder, type TokenGroup } from "../../lib/alltoall/token_groups.ts";
import { nodeCounts } from "../../lib/alltoall/node_counts.ts";
import { resolveLayer } from "../../lib/blocks/mod.ts";
import { trafficOf } from "../../lib/costs/mod.ts";
import { addCollective, GraphBuilder } from "../../lib/graph/mod.ts";
import { rowCoding } from "../../lib/graph/row_coding.ts";
import { tokenGroups, zipfRouting } from "../../lib/routing/mod.ts";
import { SchemoeError, type TaskGraph, topology } from "../../mod.ts";

const COLUMNS = 32;

/** All that prices a graph, and the sizes of its buffers. */
const pricesOf = ({ tasks, topology: world, buffers }: TaskGraph) => ({
  tasks: tasks.map((task) => {
    const { name, kind, lane, after, flops, bytes, rankFlops, uses } = task;
    const ranks = Array.from({ length: world.ranks }, (_, rank) => rank);
    const traffic = task.transfers && trafficOf(world, task);
    return {
      ...{ name, kind, lane, after, flops, bytes, uses },
      rankFlops: rankFlops && ranks.map(rankFlops),
      traffic: traffic && ranks.map((rank) => traffic.pattern.of(rank)),
      peers: traffic && ranks.map((rank) => Array.from(traffic.pattern.peers(rank))),
    };
  }),
  buffers,
});

/** Sizes of slices of a way, by the groups that they are. */
function slicesOf(lists: readonly (readonly number[])[], rows: (group: number) => number) {
  return (rank: number, index: number) => rows(lists[rank][index]);
}

Deno.test("an exchange by nodes has the prices of its plans when its rows are only counted: messages, copies, sums, codes, buffers", () => {
  let [sums, copies] = [0, 0];
  for (const [nodes, ranksPerNode] of [[1, 1], [1, 4], [3, 1], [2, 2], [3, 4], [2, 8]]) {
    const world = topology({
      ...{ nodes, ranksPerNode },
      spine: { nodesPerLeaf: 1, oversubscription: 2 },
    });
    const { ranks } = world;
    for (const topK of [1, 3]) {
      const sizes = { ranks, tokens: 20, experts: 4 * ranks, topK, exponent: 0.8 };
      const groups = tokenGroups(zipfRouting(sizes), { ranksPerNode });
      const rows = (group: number) => groups[group].tokens.length;
      const order = groupOrder(world, groups);
      const counts = nodeCounts(world, { groups, rows });
      for (let rank = 0; rank < ranks; rank++) {
        const all = (list: readonly number[]) => list.reduce((sum, g) => sum + rows(g), 0);
        assertEquals(counts.sent(rank), all(order.sent[rank]));
        assertEquals(counts.received(rank), all(order.received[rank]));
      }
      const layer = resolveLayer(
        { tokens: 20, modelDim: COLUMNS, hiddenDim: 8, experts: 4 * ranks },
        world,
      );
      for (const way of ["dispatch", "combine"] as const) {
        for (const coding of [undefined, rowCoding(layer, fp8)]) {
          const priced = [false, true].map((counted) => {
            const g = new GraphBuilder(world, "forward", 1);
            const slice = slicesOf(way === "dispatch" ? order.sent : order.received, rows);
            const of = (rowBytes: number, name: string) => ({
              ...{ rowBytes, scratch: `${name}.scratch` },
              bytes: (rank: number, i: number) => rowBytes * slice(rank, i),
              input: g.buffer(`${name}.input`, 0),
              output: g.buffer(`${name}.output`, 0),
            });
            addCollective(g, {
              ...{ label: "A1", chunk: 0, stage: 0, after: [] },
              ...of(4 * COLUMNS, "rows"),
              ...(coding ? { coding } : {}),
              collective: (way === "dispatch" ? nodeDispatch : nodeCombine)(world, groups),
              ...(counted ? { counts: counts[way] } : {}),
              beside: [of(12, "weights")],
            });
            return pricesOf(g.build({}));
          });
          assertEquals(priced[1], priced[0]);
          for (const { name, flops, traffic } of priced[0].tasks) {
            if (/sum|add/.test(name)) sums += flops;
            for (const of of traffic ?? []) copies += of.copied;
          }
        }
      }
    }
  }
  assert(sums > 0 && copies > 0);
});

Deno.test("addCollective() makes no plans where rows are counted, before something runs", () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const groups: TokenGroup[] = [{ source: 0, node: 1, ranks: [2, 3] }];
  const { dispatch: counts } = nodeCounts(world, { groups, rows: () => 5 });
  const collective = nodeDispatch(world, groups);
  let planned = 0;
  const watched = {
    ...collective,
    plan(at: Parameters<typeof collective.plan>[0]) {
      planned++;
      return collective.plan(at);
    },
  };
  const exchange = (g: GraphBuilder) => ({
    ...{ label: "A", chunk: 0, stage: 0, after: [], scratch: "scratch", counts },
    ...{ collective: watched, bytes: () => 5 * 16 },
    input: g.buffer("input", 0),
    output: g.buffer("output", 0),
  });
  const g = new GraphBuilder(world, "forward", 1);
  addCollective(g, { ...exchange(g), rowBytes: 16 });
  const graph = g.build({});
  for (const task of graph.tasks) {
    if (task.transfers) trafficOf(world, task).pattern.of(0);
  }
  assertEquals(planned, 0);
  assertEquals(graph.tasks[2].transfers!(0), [
    { kind: "send", peer: 2, bytes: 80, from: { buffer: "input", offset: 0 } },
  ]);
  assertEquals(planned, 4);
  const other = new GraphBuilder(world, "forward", 1);
  assertThrows(
    () => addCollective(other, exchange(other)),
    SchemoeError,
    'Cannot count the collective "nodeDispatch": its values do not say how many bytes a row has',
  );
});
