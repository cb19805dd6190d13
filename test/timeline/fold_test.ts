import { captionOf } from "../../lib/timeline/chart/caption.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { foldRanks, listNumbers } from "../../lib/timeline/chart/fold.ts";
import { stack } from "../../lib/timeline/table/stack.ts";
import { SchemoeError } from "../../lib/types.ts";
import { timelineOf } from "./fixture.ts";

Deno.test("listNumbers() writes runs and even steps shortly", () => {
  assertEquals(listNumbers([4]), "4");
  assertEquals(listNumbers([0, 1]), "0, 1");
  assertEquals(listNumbers([0, 1, 2, 5, 7, 8]), "0–2, 5, 7, 8");
  assertEquals(listNumbers([0, 4, 8, 12]), "0, 4 … 12");
  assertEquals(listNumbers([0, 4, 8]), "0, 4, 8");
  assertEquals(listNumbers([]), "");
});

const task = (rank: number, start: number, more: object = {}) => ({
  rank,
  node: rank >> 1,
  name: "E[0]",
  start,
  end: start + 10,
  ...more,
});

Deno.test("foldRanks() joins ranks of several nodes, whatever the order of rows", () => {
  const second = (rank: number) => task(rank, 20, { name: "C2[0]", lane: "inter" });
  const timeline = timelineOf([task(3, 0), second(3), second(0), task(0, 0), task(1, 0)]);
  assertEquals(foldRanks(timeline, 0), [
    { rank: 0, node: 0, ranks: [0, 3], nodes: [0, 1] },
    { rank: 1, node: 0, ranks: [1], nodes: [0] },
  ]);
  assertEquals(foldRanks(timeline, -1).length, 3);
  assertEquals(foldRanks(timeline, 0, new Set([3, 1])).map(({ ranks }) => ranks), [[1], [3]]);
});

Deno.test("foldRanks() keeps apart what differs in name, lane, kind, time or waiting", () => {
  const odd = [{ name: "E[1]" }, { lane: "intra" }, { kind: "gate" }, { end: 12 }, { wait: 3 }];
  const rows = [task(0, 0), ...odd.map((more, i) => task(i + 1, 0, more))];
  assertEquals(foldRanks(timelineOf(rows), 1).length, 6);
  assertEquals(foldRanks(timelineOf(rows), 3).length, 4);
});

Deno.test("stack() puts pictures below each other", () => {
  const picture = (width: number, height: number) =>
    `<svg width="${width}" height="${height}"><g/></svg>`;
  assertEquals(
    stack([picture(9, 10), picture(20, 30)]).replace(/ style="[^"]*"/, ""),
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="46" viewBox="0 0 20 46">' +
      '<svg y="0" width="9" height="10"><g/></svg><svg y="16" width="20" height="30"><g/></svg></svg>',
  );
  assertThrows(() => stack(["<svg></svg>"]), SchemoeError, "number 0 has no width or height");
});

Deno.test("captionOf() lists the first rank of each group only where what follows has room", () => {
  const caption = (count: number) => {
    const shown = Array.from({ length: count }, (_, i) => {
      const rank = i * (i + 1);
      return { rank, node: 0, ranks: [rank, rank + 1], nodes: [0] };
    });
    return captionOf({
      groups: shown,
      shown,
      all: 2 * count,
      lanes: new Set(["compute", "inter"]),
      path: undefined,
      standIn: new Map(),
      bars: { drawn: 1, all: 1 },
    });
  };
  assertEquals(
    caption(9),
    "18 ranks in 9 groups of equal ones, the first of each: 0, 2, 6, 12, 20, 30, 42, 56, 72",
  );
  assertEquals(
    caption(29),
    "58 ranks in 29 groups of equal ones, each shown once · rows of a rank: compute, inter",
  );
});
