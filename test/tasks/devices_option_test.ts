import { assertEquals, assertThrows } from "@std/assert";
import { devicesOf, parseDevices } from "../../lib/tasks/bench/devices_option.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("parseDevices() reads a number of GPUs, or a list", () => {
  assertEquals(parseDevices({}), {});
  assertEquals(parseDevices({ gpus: "3" }), { gpus: 3 });
  assertEquals(parseDevices({ devices: "1,0,10" }), { devices: [1, 0, 10] });
});

Deno.test("devicesOf() puts ranks in blocks over GPUs, or where a list says", () => {
  assertEquals(devicesOf({}, 4), undefined);
  assertEquals(devicesOf({ gpus: 2 }, 2), [0, 1]);
  assertEquals(devicesOf({ gpus: 2 }, 3), [0, 0, 1]);
  assertEquals(devicesOf({ gpus: 3 }, 8), [0, 0, 0, 1, 1, 1, 2, 2]);
  assertEquals(devicesOf({ devices: [1, 1, 0, 0] }, 4), [1, 1, 0, 0]);
});

Deno.test("parseDevices() and devicesOf() say what is wrong", () => {
  const wrong: [() => unknown, string][] = [
    [() => parseDevices({ gpus: "2", devices: "0,1" }), "Give --gpus or --devices, not both"],
    [() => parseDevices({ gpus: "0" }), '--gpus must be a positive integer, got "0"'],
    [() => parseDevices({ gpus: "" }), '--gpus must be a positive integer, got ""'],
    [() => parseDevices({ devices: "" }), '--devices must be numbers of GPUs such as 0,1, got ""'],
    [() => parseDevices({ devices: "0,,1" }), 'got "0,,1": "" for rank 1'],
    [() => parseDevices({ devices: "0,-1" }), 'got "0,-1": "-1" for rank 1'],
    [() => parseDevices({ devices: "a" }), 'got "a": "a" for rank 0'],
    [() => devicesOf({ gpus: 4 }, 2), "--gpus 4 are more than the 2 ranks"],
    [
      () => devicesOf({ devices: [0, 1] }, 4),
      "--devices 0,1 names GPUs for 2 ranks, and there are 4",
    ],
  ];
  for (const [call, message] of wrong) assertThrows(call, SchemoeError, message);
});
