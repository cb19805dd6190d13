import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, testbed, topK, whatIf } from "../../mod.ts";
import {
  loadsCsv,
  loadsOf,
  parseLoads,
  parseMegatronTrace,
  parseTrafficMatrix,
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

Deno.test("files of loads, matrices and traces are read right, or refused by file, line, place and value", () => {
  const file = "loads.csv";
  const loads = (text: string) => parseLoads(text, { file });
  assertEquals(loads("\uFEFF# of step 3\r\n\r\n1,2\r\n 3 4 \r\n").table.join(), "1,2,3,4");
  assertEquals(
    loads("\uFEFF# pairs\nrank, expert, tokens\n0,1,+2\n1,0,1e1\n").table.join(),
    "0,2,10,0",
  );
  assertEquals(loads(".0,1.\n").table.join(), "0,1");
  const no = (text: string, part: string) =>
    fails(() => loads(text), `Cannot read the loads "loads.csv": ${part}`);
  no("1,2\n3,0x10\n", 'line 2 has "0x10" in place 2, not a number of at least 0');
  no("1,-2\n", 'line 1 has "-2" in place 2');
  no("1;2\n", 'line 1 has "1;2" in place 1');
  no('1,"2"\n', 'line 1 has "\\"2\\"" in place 2');
  no("1,2,\n", 'line 1 has "" in place 3');
  no("1,1e999\n", 'line 1 has "1e999" in place 2');
  no("# a\n\n1,2.5\n", "line 3 has a number that is no integer: 2.5 in place 2");
  no("1,3000000000\n", "line 1 has 3000000000 in place 2, more than 2^31 - 1");
  no("expert,rank,tokens\n0,0,1\n", 'line 1 is "expert,rank,tokens", neither the heading');
  no("rank,expert,tokens\n", "there are no numbers");
  no("rank,expert,tokens\n0,0,1\n2000000000,5,1\n", "line 3 makes a table of 2000000001 ranks");
  no("rank,expert,tokens\n0,0\n", "line 2 has 2 numbers, not rank, expert, tokens");

  const matrix = (text: string, scale = 1) => parseTrafficMatrix(text, { scale, file: "m.txt" });
  assertEquals(matrix("\uFEFF0 1\n# half\n0.5\t0\n", 10).bytes(1, 0), 5);
  const wrong = (run: () => unknown, part: string) =>
    fails(run, `Cannot read the traffic matrix "m.txt": ${part}`);
  wrong(() => matrix("1,2\n3,nan\n"), 'line 2 has "nan" in place 2');
  wrong(() => matrix("1,2\n"), "line 1 has 2 numbers, there are 1 lines");
  wrong(() => matrix("0,1e300\n0,0\n"), "line 1 has 1e+300 in place 2, more bytes than 2^53");
  wrong(() => matrix("0,1\n0,0\n", NaN), "scale must be a positive number, got NaN");

  const line = { step: 0, block: "decoder", layer: 0, rank: 0, topk: 1, top_indices: [[0]] };
  const trace = (...lines: object[]) =>
    parseMegatronTrace(lines.map((one) => JSON.stringify(one)).join("\n"), {
      experts: 2,
      file: "r0.jsonl",
    });
  const bad = (run: () => unknown, part: string) =>
    fails(run, `Cannot read the router trace "r0.jsonl": ${part}`);
  bad(
    () => trace({ ...line, num_tokens: 2 }),
    "line 1 has num_tokens 2 and top_indices of 1 tokens",
  );
  bad(() => trace(line, { ...line, rank: 1.5 }), "line 2 has rank 1.5");
  bad(() => trace({ ...line, step: "0" }), 'line 1 has step "0"');
  bad(() => trace({ ...line, mtp_idx: {} }), "line 1 has mtp_idx {}");
  bad(() => trace({ ...line, top_indices: [["0"]] }), 'line 1 sends token 0 to expert "0" of 2');
  bad(
    () => trace({ ...line, rank: 2 ** 40 }),
    "step 0, decoder layer 0 has lines of 1 ranks, none of rank 0",
  );
  bad(
    () => parseMegatronTrace('{"step": 0, "blo', { experts: 2, file: "r0.jsonl" }),
    'line 1 is no JSON: "{\\"step\\": 0',
  );
  const text = "\uFEFF" + JSON.stringify(line) + "\r\n";
  assertEquals(parseMegatronTrace(text, { experts: 2 })[0].tokens(0), 1);
  // in order of the prediction depth, whatever order the file has
  const mtp = (mtp_idx: number) => ({ ...line, block: "mtp", mtp_idx });
  assertEquals(trace(mtp(1), line, mtp(0)).map(({ name }) => name), [
    "step 0, decoder layer 0",
    "step 0, mtp 0 layer 0",
    "step 0, mtp 1 layer 0",
  ]);
  const own = {
    ...uniformRouting({ ranks: 1, tokens: 2, experts: 2 }),
    choices: () => Int32Array.of(0, 2),
  };
  fails(() => loadsOf(own), "rank 0 sends token 1 to expert 2 of 2");
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
