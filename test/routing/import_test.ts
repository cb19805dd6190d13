import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, testbed, topK, whatIf } from "../../mod.ts";
import {
  loadsCsv,
  loadsOf,
  parseLoads,
  parseMegatronTrace,
  uniformRouting,
  zipfRouting,
} from "../../lib/routing/mod.ts";

const fails = (run: () => unknown, part: string) => assertThrows(run, SchemoeError, part);

Deno.test("parseLoads() reads what loadsCsv() writes, and long tables", () => {
  const loads = loadsOf(uniformRouting({ ranks: 3, tokens: 20, experts: 5, topK: 2 }));
  assertEquals(parseLoads(loadsCsv(loads)), loads);
  const long = parseLoads("rank,expert,tokens\n1,2,7\r\n0,0,3\n");
  assertEquals(long, { ranks: 2, experts: 3, table: Int32Array.from([3, 0, 0, 0, 0, 7]) });
  fails(() => parseLoads("1,2\n3\n"), "line 2 has 1 numbers, line 1 has 2");
  fails(() => parseLoads("1,x\n"), 'line 1 has "x"');
  fails(() => parseLoads("1,\n"), 'line 1 has ""');
  fails(() => parseLoads("1.5,2\n"), "line 1 has a number that is no integer");
  fails(
    () => parseLoads("rank,experts,tokens\n0,0,1\n"),
    'neither the heading "rank,expert,tokens"',
  );
  fails(() => parseLoads("\n"), "there are no numbers");
  fails(() => parseLoads("rank,expert,tokens\n0,0,1\n0,0,2\n"), "line 3 gives rank 0, expert 0 a");
});

Deno.test("parseMegatronTrace() groups the lines of all ranks by step, block and layer", () => {
  const line = (step: number, layer: number, rank: number, top_indices: number[][], more = {}) =>
    JSON.stringify({
      step,
      stage: "pre_dispatch",
      block: "decoder",
      layer,
      rank,
      num_tokens: top_indices.length,
      topk: 2,
      top_indices,
      ...more,
    });
  const text = [
    line(1, 3, 1, [[0, 1]]),
    line(0, 3, 1, [[3, 1], [2, 3]]),
    line(0, 3, 0, [[0, 1], [0, 2]]),
    line(1, 3, 0, [[2, 1], [2, 0], [0, 3]]),
    line(1, 3, 0, [[1, 2]], { block: "mtp", mtp_idx: 0 }),
    "",
  ].join("\n");
  const [first, second, mtp] = parseMegatronTrace(text, { experts: 4 });
  assertEquals([first.step, first.layer, first.ranks, first.topK], [0, 3, 2, 2]);
  assertEquals(loadsOf(first).table.join(), "2,1,1,0,0,1,1,2");
  assertEquals([second.tokens(0), second.tokens(1)], [3, 1]);
  assertEquals([mtp.block, mtp.ranks], ["mtp", 1]);
  const bad = (text: string, part: string) =>
    fails(() => parseMegatronTrace(text, { experts: 4 }), part);
  bad("{", "line 1 is no JSON");
  bad(line(0, 0, 1, [[0, 1]]), "none of rank 0");
  bad(line(0, 0, 0, [[0, 4]]), "sends token 0 to expert 4 of 4");
  bad(line(0, 0, 0, [[1, 1]]), "to an expert twice");
  bad(line(0, 0, 0, [[1]]), "has not 2 experts for token 0");
  bad(line(0, 0, 0, [[0, 1]]) + "\n" + line(0, 0, 0, [[0, 1]]), "line 2 repeats step 0");
});

Deno.test("forward() simulates the loads of a routing, and whatIf() its skew", async () => {
  const sizes = { ranks: 8, tokens: 256, experts: 16, topK: 2 };
  const { topology } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 4 });
  const layer = {
    tokens: 256,
    modelDim: 512,
    hiddenDim: 1024,
    experts: 16,
    gate: topK({ k: 2 }),
    routing: { dropless: true },
  };
  using engine = openEngine({ kind: "simulate", topology });
  const made = createLayer(engine, layer);
  const even = await made.forward({ bound: false });
  const uneven = await made.forward({
    loads: loadsOf(zipfRouting({ ...sizes, exponent: 1.2 })),
    bound: false,
  });
  assert(uneven.makespan > even.makespan);
  const found = await whatIf({ layer: { ...layer, routing: undefined }, topology }, {
    vary: "routing.zipf",
    values: [0, 0.6, 1.2],
    allToAlls: ["linear", "pipe"],
    pass: "forward",
  });
  const of = (value: number) => found.rows.filter((row) => row.value === value);
  assert(of(1.2)[0].seconds > of(0)[0].seconds);
  assertEquals(of(1.2)[0].seconds, uneven.makespan);
});
