import { assertEquals } from "@std/assert";
import { topology } from "../lib/topology.ts";
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
  assertEquals(["50", "50 GB", "50 G", "-1 GB/s", "GB/s", "50 TFLOP/s"].map(bytes), [
    ...Array.from({ length: 6 }, () => undefined),
  ]);
  assertEquals(parseRate("50 GB/s", "FLOP/s"), undefined);
});

Deno.test("parseTime() reads seconds with their prefixes", () => {
  assertEquals(["5 us", "5us", "1.5 ms", "2 s", "7 ns", "3 µs"].map(parseTime), [
    5 * 1e-6,
    5 * 1e-6,
    1.5 * 1e-3,
    2,
    7 * 1e-9,
    3 * 1e-6,
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
  assertEquals(links.intra, { alpha: 3 * 1e-6, beta: 1 / 450e9 });
  assertEquals(links.local.beta, 1 / 450e9);
  assertEquals(links.inter, { alpha: 1e-5, beta: 1 / 50e9 });
  assertEquals(processor, { alpha: 4 * 1e-6, flopRate: 989e12, byteRate: 3.35e12 });
  assertEquals(nic, { beta: 1 / 50e9 });
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
});
