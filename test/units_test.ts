import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { topology } from "../lib/topology.ts";
import { SchemoeError } from "../lib/types.ts";
import { parseRate, parseTime, rateText, timeText } from "../lib/units.ts";
import { didYouMean, quoted } from "../lib/words.ts";

Deno.test("parseRate() reads bytes, bits and operations with their prefixes", () => {
  const bytes = (text: string) => parseRate(text, "B/s");
  assertEquals(["50 GB/s", "3.35TB/s", "400 Gb/s", "1e9 B/s", "12 MB/s"].map(bytes), [
    50e9,
    3.35e12,
    50e9,
    1e9,
    12e6,
  ]);
  assertEquals(parseRate("989 TFLOP/s", "FLOP/s"), 989e12);
  assertEquals(parseRate("989 TFLOPS", "FLOP/s"), 989e12);
  assertEquals(parseRate("989 TFLOPs", "FLOP/s"), 989e12);
  assertEquals(["2 GiB/s", "8 Mibit/s"].map(bytes), [2 ** 31, 2 ** 20]);
  assertEquals(["50", "50 GB", "50 G", "-1 GB/s", "GB/s", "50 TFLOP/s"].map(bytes), [
    ...Array.from({ length: 6 }, () => undefined),
  ]);
  assertEquals(parseRate("50 GB/s", "FLOP/s"), undefined);
});

Deno.test("parseTime() reads seconds with their prefixes", () => {
  assertEquals(["5 us", "5us", "1.5 ms", "2 s", "7 ns", "3 µs"].map(parseTime), [
    5e-6,
    5e-6,
    1.5e-3,
    2,
    7e-9,
    3e-6,
  ]);
  assertEquals(["5", "us", "5 minutes", "-5 us"].map(parseTime), Array(4).fill(undefined));
});

Deno.test("rateText() and timeText() write what parseRate() and parseTime() read", () => {
  for (const text of ["50 GB/s", "3.35 TB/s", "12 MB/s", "999 kB/s", "1 B/s"]) {
    assertEquals(rateText(parseRate(text, "B/s")!, "B/s"), text);
  }
  for (const text of ["5 us", "1.5 ms", "2 s", "999 ns"]) {
    assertEquals(timeText(parseTime(text)!), text);
  }
  assertEquals(timeText(0), "0 us");
});

Deno.test("topology() takes links and processors with units, and as numbers", () => {
  const { links, processor, nic } = topology({
    nodes: 2,
    ranksPerNode: 4,
    intra: { bandwidth: "450 GB/s", latency: "3 us" },
    inter: { bandwidth: 50e9, latency: 1e-5 },
    processor: { flopRate: "989 TFLOP/s", byteRate: "3.35 TB/s", latency: "4 us" },
    nic: { bandwidth: "400 Gb/s" },
  });
  assertEquals(links.intra, { alpha: 3e-6, beta: 1 / 450e9 });
  assertEquals(links.local.beta, 1 / 450e9);
  assertEquals(links.inter, { alpha: 1e-5, beta: 1 / 50e9 });
  assertEquals(processor, { alpha: 4e-6, flopRate: 989e12, byteRate: 3.35e12 });
  assertEquals(nic, { beta: 1 / 50e9 });
});

Deno.test("topology() refuses what is out of any physical range, and says what was meant", () => {
  const says = (fields: object, wanted: string) => {
    const make = () => topology({ nodes: 2, ranksPerNode: 2, ...fields });
    assertStringIncludes(assertThrows(make, SchemoeError).message, wanted);
  };
  says({ inter: { alpha: 5e-6, beta: 50e9 } }, "bytes a second is inter.bandwidth");
  says({ inter: { bandwidth: 50 } }, 'write "50 GB/s", or 50e9');
  says({ inter: { bandwidth: "1e30 B/s" } }, "at most 1e+21 bytes a second");
  says({ inter: { latency: 5 } }, 'inter.latency must be at most 1 s (write "5 us", or 5e-6)');
  says({ inter: { alpha: "5 us" } }, "text with a unit is inter.latency");
  says({ inter: { beta: "50 GB/s" } }, "text with a unit is inter.bandwidth");
  says(
    { inter: "50 GB/s" },
    'inter must be an object, got "50 GB/s"; write { bandwidth: "50 GB/s"',
  );
  says({ processor: { flopRate: 989 } }, 'write "989 TFLOP/s", or 989e12');
  says({ processor: { byteRate: 3.35 } }, 'write "3.35 TB/s", or 3.35e12');
  says({ processor: { flopRate: Infinity } }, "at most 1e+21 FLOP/s");
  says({ processor: { flopRate: "1e30 TFLOP/s" } }, "at most 1e+21 FLOP/s");
  says({ inter: { beta: 1e-300 } }, "inter.beta must be 0 or at least 1e-21");
  says({ inter: { bandwidth: [50e9] } }, "inter.bandwidth must be a rate");
  says({ inter: { latency: true } }, "inter.latency must be a time");
  says({ contention: 3 }, "contention must be an object");
  says({ speed: "fast" }, "speed must be an array");
  says({ processor: { latency: 10 } }, "processor.latency must be at most 1 s");
  // the unit of models
  const model = topology({ nodes: 1, ranksPerNode: 1, processor: { flopRate: 1, byteRate: 1 } });
  assertEquals([model.processor.flopRate, model.processor.byteRate], [1, 1]);
});

Deno.test("didYouMean() names what is near, and nothing where all is far", () => {
  const names = ["sequential", "optSche", "tutel", "fasterMoE", "exact"];
  assertEquals(didYouMean("OptSche", names), '; did you mean "optSche"?');
  assertEquals(didYouMean("optShce", names), '; did you mean "optSche"?');
  assertEquals(didYouMean("fastermoe", names), '; did you mean "fasterMoE"?');
  assertEquals(didYouMean("alltoall", ["allToAll", "chunks"]), '; did you mean "allToAll"?');
  assertEquals(
    didYouMean("interBandwidth", ["intra.bandwidth", "inter.bandwidth"]),
    '; did you mean "inter.bandwidth"?',
  );
  assertEquals(didYouMean("gradient", names), "");
  assertEquals(didYouMean(7, names), "");
});

Deno.test("quoted() tells text from numbers", () => {
  assertEquals(["4", 4, NaN, undefined, ["a", 1], { a: 1 }].map(quoted), [
    '"4"',
    "4",
    "NaN",
    "undefined",
    '["a", 1]',
    '{"a":1}',
  ]);
  assertEquals(quoted(() => 3), "a function");
  assertEquals(quoted(new Float32Array(9)), "a Float32Array of 9");
  assertEquals(quoted(Array(9).fill(1)), "[1, 1, 1, 1, 1, 1, 1, 1, ... 9 in all]");
  assertEquals(quoted({ x: new Float32Array(9) }), '{"x":"a Float32Array of 9"}');
  assertEquals(quoted({ text: "x".repeat(300) }).length, 203);
  assertEquals([quoted(new Map()), quoted({ n: 1n })], ["a Map", "an object"]);
});
