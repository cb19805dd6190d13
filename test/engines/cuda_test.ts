import { assertEquals, assertThrows } from "@std/assert";
import { checkTransport, transportArguments } from "../../lib/engines/cuda.ts";
import { SchemoeError } from "../../lib/types.ts";

const check = (options: Record<string, unknown>, ranks = 2) => checkTransport(options, ranks);

Deno.test("checkTransport() takes any GPU for any rank, and both ways to copy", () => {
  for (const devices of [[0, 1], [1, 0], [1, 1], [7, 0]]) check({ devices });
  check({ devices: [0, 1, 0, 1] }, 4);
  check({ devices: [0, 1, 1], transport: "nccl", maxCTAs: 4 }, 3);
  for (const copyBy of ["kernels", "engines"]) check({ copyBy });
  check({ copyBy: "engines", transport: "copy" });
});

const wrong: Record<string, Record<string, unknown>> = {
  'unknown copyBy "sm", choose one of kernels, engines': { copyBy: "sm" },
  'copyBy is an option of transport "copy"': { copyBy: "engines", transport: "nccl" },
  'maxCTAs is an option of transport "nccl"': { maxCTAs: 2 },
  'devices is "0,1", it must be an array with the number of a GPU for each of 2 ranks': {
    devices: "0,1",
  },
  "devices is [0], which names GPUs for 1 ranks, and there are 2": { devices: [0] },
  "devices is [0,1,0], which names GPUs for 3 ranks, and there are 2": { devices: [0, 1, 0] },
  "devices is [0,-1]: rank 1 needs the number of a GPU, an integer from 0 to 1023": {
    devices: [0, -1],
  },
  "devices is [1.5,0]: rank 0 needs the number of a GPU": { devices: [1.5, 0] },
  'devices is [0,"1"]: rank 1 needs the number of a GPU': { devices: [0, "1"] },
};

Deno.test("checkTransport() names what is wrong, and the rank", async (t) => {
  for (const [message, options] of Object.entries(wrong)) {
    await t.step(message, () => {
      assertThrows(() => check(options), SchemoeError, `Cannot open the engine: ${message}`);
    });
  }
});

Deno.test("transportArguments() are the words of a schemoe_cuda, the path of NCCL and the GPUs", () => {
  const [words, path, devices] = transportArguments({ copyBy: "engines", devices: [1, 0] });
  assertEquals([...words], [0, 0, 0, 2, 0, 1, 1, 0]);
  assertEquals([new TextDecoder().decode(path), [...devices!]], ["\0", [1, 0]]);
  const nccl = { path: "/nccl.so", version: "2.30.7" };
  const slot = { slot: 1, slots: 3 };
  const [others, file, none] = transportArguments({ emulateNodes: true, maxCTAs: 4 }, nccl, slot);
  assertEquals([...others], [1, 1, 4, 0, 1, 3, 0, 0]);
  assertEquals([new TextDecoder().decode(file), none], ["/nccl.so\0", null]);
});
