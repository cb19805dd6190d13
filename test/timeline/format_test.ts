import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatPercent,
  formatRate,
  formatTime,
} from "../../lib/timeline/table/format.ts";

Deno.test("formatTime() takes the unit that fits", () => {
  assertEquals(
    [0, 850, 12_310, 12_310_000, 12_310_000_000, 999_999_999, -1500].map(formatTime),
    ["0 ns", "850 ns", "12.31 us", "12.31 ms", "12.31 s", "1.00 s", "-1.50 us"],
  );
});

Deno.test("formatBytes() counts in powers of 1000", () => {
  assertEquals([0, 512, 1500, 999_999, 1_048_576].map(formatBytes), [
    "0 B",
    "512 B",
    "1.50 kB",
    "1.00 MB",
    "1.05 MB",
  ]);
});

Deno.test("formatRate() is a second's worth", () => {
  assertEquals(formatRate(12_300, 1000, "B"), "12.30 GB/s");
});

Deno.test("formatPercent() never says nothing or all when it is not", () => {
  assertEquals([0, 0.004, 0.644, 0.996, 1, 1.8].map(formatPercent), [
    "0 %",
    "under 1 %",
    "64 %",
    "over 99 %",
    "100 %",
    "180 %",
  ]);
});
