import { assert, assertEquals } from "@std/assert";
import { openEngine } from "../../mod.ts";
import {
  addAllReduce,
  addCodedReduce,
  codedRoom,
  GraphBuilder,
  type ReduceCodecs,
} from "../../lib/graph/mod.ts";
import { int4, mxfp4 } from "../../lib/compressors/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";

const WORD = 4;

Deno.test("addCodedReduce() gives the same on all ranks, and in the mean over steps the sum itself", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 3, ranksPerNode: 1, links: "plain" });
  const kinds: ReduceCodecs[] = [
    { reduceScatter: mxfp4 },
    { allGather: mxfp4 },
    { reduceScatter: mxfp4, allGather: int4 },
  ];
  for (
    const [codecs, count] of kinds.flatMap((kind) => [5, 384, 1000].map((n) => [kind, n] as const))
  ) {
    const rooms = (["reduceScatter", "allGather"] as const).map((half) =>
      codedRoom(half, count, 3)
    );
    const g = new GraphBuilder(engine.topology, "backward", 0);
    const views = { part: count, sum: count, exact: count, lost: rooms[0], lostSums: rooms[1] };
    const [part, sum, exact, lost, lostSums] = Object.entries(views).map(([name, size]) =>
      g.buffer(name, WORD * size, "state")
    );
    const place = { stage: 0, chunk: -1, after: [] };
    const coded = addCodedReduce(g, { ...place, name: "coded" }, {
      ...{ part, sum, count, codecs, lost: { reduceScatter: lost, allGather: lostSums } },
    });
    addAllReduce(g, { ...place, name: "plain", after: [coded] }, { part, sum: exact, count });
    const graph = g.build({});
    const workspace = engine.workspace();
    workspace.ensure(graph.buffers);
    for (let rank = 0; rank < 3; rank++) {
      workspace.write("part", rank, randomNormal(count, { seed: rank + 1 }));
      workspace.write("lost", rank, new Float32Array(rooms[0]));
      workspace.write("lostSums", rank, new Float32Array(rooms[1]));
    }
    const program = buildProgram(graph, graph.tasks, "test");
    const read = (name: string, rank: number) =>
      new Float32Array(workspace.read(name, rank, WORD * count).slice().buffer);
    const mean = new Float64Array(count);
    const steps = 24;
    const distance = (values: ArrayLike<number>) => {
      const right = read("exact", 0);
      return Math.hypot(...right.map((v, i) => v - values[i])) / Math.hypot(...right);
    };
    let alone = 0;
    for (let step = 0; step < steps; step++) {
      await engine.run(program, workspace);
      const got = read("sum", 0);
      if (step === 0) alone = distance(got);
      for (const rank of [1, 2]) assertEquals(read("sum", rank), got);
      got.forEach((v, i) => mean[i] += v / steps);
    }
    assert(alone > .03, `${count}: ${alone}`);
    assert(distance(mean) < alone / 8, `${count}: ${distance(mean)} of ${alone}`);
    workspace.free();
  }
});
