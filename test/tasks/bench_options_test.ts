import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseBenchOptions } from "../../lib/tasks/bench_options.ts";
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

Deno.test("parseBenchOptions() puts ranks in blocks over the first GPUs", () => {
  const devices = (...args: string[]) =>
    parseBenchOptions([...NCCL, ...args]).cluster!(one).devices;
  assertEquals(devices("--gpus", "2"), [0, 0, 0, 0, 1, 1, 1, 1]);
  assertEquals(devices("--gpus", "3"), [0, 0, 0, 1, 1, 1, 2, 2]);
  assertEquals(devices("--gpus", "8"), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(devices("--gpus", "16").length, 16);
});

const wrong: Record<string, string[]> = {
  'Unknown engine "tpu": choose from cpu, cuda': ["--engine", "tpu"],
  'Unknown transport "mpi": choose from copy, nccl': ["--engine", "cuda", "--transport", "mpi"],
  "--transport is an option of --engine cuda": ["--transport", "nccl"],
  "--gpus is an option of --transport nccl": ["--engine", "cuda", "--gpus", "1"],
  "--emulate-nodes is an option of --transport nccl": ["--engine", "cuda", "--emulate-nodes"],
  '--gpus must be a positive integer, got "0"': [...NCCL, "--gpus", "0"],
  '--nodes must be a positive integer, got "1.5"': [...NCCL, "--nodes", "1.5"],
  '--seconds must be a positive integer, got ""': [...NCCL, "--seconds", ""],
  "--save needs the name of a folder": [...NCCL, "--save", ""],
  "--gpus 4 are more than the 2 ranks": [...NCCL, "--ranks-per-node", "2", "--gpus", "4"],
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
