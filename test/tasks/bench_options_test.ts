import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseBenchOptions, sharesGpus } from "../../lib/tasks/bench/options.ts";
import { SchemoeError } from "../../lib/types.ts";

const NCCL = ["--engine", "cuda", "--transport", "nccl"];
const two = { nodes: 2, emulateNodes: true };
const one = { nodes: 1, emulateNodes: false };

Deno.test("parseBenchOptions() takes names, engine and JSON, by default the CPU engine", () => {
  assertEquals(parseBenchOptions([]), { engine: "cpu", json: false, names: [] });
  assertEquals(parseBenchOptions(["--engine", "cuda", "layers", "--json"]), {
    engine: "cuda",
    json: true,
    names: ["layers"],
  });
});

Deno.test("parseBenchOptions() gives each benchmark the world it prefers unless one is named", () => {
  const { cluster } = parseBenchOptions(NCCL);
  assert(cluster);
  const zeros = Array(8).fill(0);
  assertEquals(cluster(two), { ...two, ranksPerNode: 4, devices: zeros, seconds: 100 });
  assertEquals(cluster(one), { ...one, ranksPerNode: 8, devices: zeros, seconds: 100 });
  const named = parseBenchOptions([...NCCL, "--nodes", "4", "--ranks-per-node", "2"]).cluster!;
  assertEquals(named(two).emulateNodes, false);
  assertEquals([named(two).nodes, named(two).ranksPerNode], [4, 2]);
  const emulated = parseBenchOptions([...NCCL, "--emulate-nodes"]).cluster!;
  assertEquals([emulated(one).nodes, emulated(one).emulateNodes], [2, true]);
});

Deno.test("parseBenchOptions() puts a rank on each of several GPUs unless told otherwise", () => {
  const world = (...args: string[]) => {
    const { nodes, ranksPerNode, emulateNodes, devices } = parseBenchOptions([...NCCL, ...args])
      .cluster!(two);
    return `${nodes} x ${ranksPerNode}${emulateNodes ? " emulated" : ""} on ${devices.join()}`;
  };
  assertEquals(world("--gpus", "1"), "2 x 4 emulated on 0,0,0,0,0,0,0,0");
  assertEquals(world("--gpus", "2"), "1 x 2 on 0,1");
  assertEquals(world("--gpus", "8"), "1 x 8 on 0,1,2,3,4,5,6,7");
  assertEquals(world("--gpus", "4", "--nodes", "2"), "2 x 2 on 0,1,2,3");
  assertEquals(world("--gpus", "4", "--emulate-nodes"), "2 x 2 emulated on 0,1,2,3");
  assertEquals(world("--gpus", "2", "--ranks-per-node", "4"), "1 x 4 on 0,0,1,1");
  assertEquals(world("--devices", "1,0,1"), "1 x 3 on 1,0,1");
  assertEquals(world("--devices", "0,1,0,1", "--nodes", "2"), "2 x 2 on 0,1,0,1");
});

Deno.test("parseBenchOptions() takes a number of GPUs, time and shapes without a transport", () => {
  const several = (...args: string[]) => {
    return parseBenchOptions(["--engine", "cuda", ...args]).several;
  };
  assertEquals(several("layers"), undefined);
  assertEquals(several("--gpus", "4", "layers"), { gpus: 4 });
  assertEquals(several("--gpus", "2", "--seconds", "60", "--shapes", "qwen3,mixtral", "layers"), {
    gpus: 2,
    seconds: 60,
    shapes: ["qwen3", "mixtral"],
  });
  assertEquals(several("--transport", "copy", "--gpus", "2", "train"), { gpus: 2 });
  const one = parseBenchOptions(["--engine", "cuda", "--shapes", "7B n256,7B n512", "fineLayers"]);
  assertEquals([one.several, one.shapes], [undefined, ["7B n256", "7B n512"]]);
});

Deno.test("parseBenchOptions() takes benchmarks over NCCL on a number of GPUs with their options", () => {
  const world = (...args: string[]) => {
    const { cluster, several, clusterOption } = parseBenchOptions(["--engine", "cuda", ...args]);
    const { nodes, ranksPerNode, emulateNodes, devices, seconds } = cluster!(two);
    const text = `${nodes} x ${ranksPerNode}${
      emulateNodes ? " emulated" : ""
    } on ${devices.join()}`;
    return [text, seconds, several?.gpus, clusterOption];
  };
  assertEquals(world("--gpus", "4", "golden"), ["1 x 4 on 0,1,2,3", 100, 4, undefined]);
  assertEquals(
    world("--gpus", "8", "--nodes", "2", "--emulate-nodes", "--seconds", "50", "schedules"),
    ["2 x 4 emulated on 0,1,2,3,4,5,6,7", 50, 8, "nodes"],
  );
  const none = ["--engine", "cuda", "layers"];
  assertEquals(parseBenchOptions(none).cluster, undefined);
  const copies = ["--engine", "cuda", "--transport", "copy", "--gpus", "2"];
  assertEquals(parseBenchOptions(copies).cluster, undefined);
  assertThrows(() => parseBenchOptions([...copies, "--nodes", "2"]), SchemoeError, "--nodes");
});

Deno.test("bench refuses options that a benchmark of several GPUs does not read, before it runs", async () => {
  const said = async (...args: string[]) => {
    const script = new URL("../../lib/tasks/bench.ts", import.meta.url).pathname;
    const given = ["run", "-A", "--no-check", script, "--engine", "cuda", "--gpus", "4", ...args];
    const { stderr, success } = await new Deno.Command(Deno.execPath(), { args: given }).output();
    assertEquals(success, false);
    return new TextDecoder().decode(stderr).trim();
  };
  assertEquals(
    await said("--nodes", "2", "golden", "layers"),
    "bench: --nodes is no option of layers, which has a rank on each GPU",
  );
  assertEquals(
    await said("--shapes", "qwen3", "layers", "exchange"),
    "bench: --shapes is no option of exchange",
  );
});

Deno.test("parseBenchOptions() limits the blocks of NCCL", () => {
  const cluster = (...args: string[]) => parseBenchOptions([...NCCL, ...args]).cluster!(one);
  assertEquals(cluster("--gpus", "2", "--max-ctas", "4").maxCTAs, 4);
  assertEquals("maxCTAs" in cluster("--gpus", "2"), false);
});

Deno.test("sharesGpus() tells whether ranks are on the same GPU", () => {
  assertEquals([[0, 1], [1, 0, 1], [3]].map((devices) => sharesGpus({ devices })), [
    false,
    true,
    false,
  ]);
});

const wrong: Record<string, string[]> = {
  'Unknown engine "tpu": choose from cpu, cuda': ["--engine", "tpu"],
  'Unknown transport "mpi": choose from copy, nccl': ["--engine", "cuda", "--transport", "mpi"],
  "--transport is an option of --engine cuda": ["--transport", "nccl"],
  "--gpus is an option of --engine cuda": ["--gpus", "2"],
  "--seconds is an option of --transport nccl and of --gpus N": [
    "--engine",
    "cuda",
    "--seconds",
    "9",
  ],
  "--shapes is an option of --engine cuda without --transport nccl": [
    ...NCCL,
    "--gpus",
    "2",
    "--shapes",
    "qwen3",
  ],
  '--shapes needs names such as qwen3,mixtral, got "qwen3,"': [
    ...["--engine", "cuda", "--gpus", "2"],
    ...["--shapes", "qwen3,"],
  ],
  "--emulate-nodes is an option of --transport nccl": ["--engine", "cuda", "--emulate-nodes"],
  '--gpus must be a positive integer, got "0"': [...NCCL, "--gpus", "0"],
  '--nodes must be a positive integer, got "1.5"': [...NCCL, "--nodes", "1.5"],
  '--seconds must be a positive integer, got ""': [...NCCL, "--seconds", ""],
  "--save needs the name of a folder": [...NCCL, "--save", ""],
  "--gpus 4 are more than the 2 ranks": [...NCCL, "--ranks-per-node", "2", "--gpus", "4"],
  "Give --gpus or --devices, not both": [...NCCL, "--gpus", "2", "--devices", "0,1"],
  "--devices is an option of --transport nccl": ["--engine", "cuda", "--devices", "0,1"],
  "--max-ctas is an option of --transport nccl": ["--engine", "cuda", "--max-ctas", "2"],
  '--max-ctas must be a positive integer, got "x"': [...NCCL, "--max-ctas", "x"],
  "--devices 0,1 names GPUs for 2 ranks, and there are 4": [
    ...NCCL,
    "--devices",
    "0,1",
    "--ranks-per-node",
    "4",
  ],
  "4 nodes do not divide 2 ranks: give --ranks-per-node too": [
    ...NCCL,
    "--gpus",
    "2",
    "--nodes",
    "4",
  ],
  "one rank has nobody to exchange with": [...NCCL, "--devices", "1"],
  "3 nodes do not divide 8 ranks: give --ranks-per-node too": [...NCCL, "--nodes", "3"],
  "--emulate-nodes needs --nodes of at least 2": [...NCCL, "--nodes", "1", "--emulate-nodes"],
  "one rank has nobody to exchange with: give more --nodes or --ranks-per-node": [
    ...NCCL,
    "--ranks-per-node",
    "1",
  ],
  "Unknown option '--ranks'": [...NCCL, "--ranks", "8"],
};

Deno.test("parseBenchOptions() says what is wrong with an option", async (t) => {
  for (const [message, args] of Object.entries(wrong)) {
    await t.step(message, () => {
      assertThrows(() => parseBenchOptions(args), SchemoeError, message);
    });
  }
});
