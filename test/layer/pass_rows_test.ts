import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createLayer } from "../../lib/layer/mod.ts";
import { passRows } from "../../lib/layer/pass_rows.ts";
import { rowsKey } from "../../lib/layer/pass_graphs.ts";
import type { Workspace } from "../../lib/engine.ts";
import { openEngine, SchemoeError, topK } from "../../mod.ts";

const [RANKS, EXPERTS, TOKENS] = [2, 4, 6];

/** What passes make of loads that an engine has computed: those of each rank. */
function rowsOf() {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: RANKS, links: "plain" });
  using made = createLayer(engine, {
    tokens: TOKENS,
    modelDim: 4,
    hiddenDim: 4,
    experts: EXPERTS,
    gate: topK({ k: 1 }),
    routing: { dropless: true },
  });
  const { layer } = made;
  return (...tables: number[][]) => {
    const readAll = () => new Uint8Array(Int32Array.from(tables.flat()).buffer);
    return passRows({ layer, engine, workspace: { readAll } as unknown as Workspace });
  };
}

Deno.test("passRows() knows loads that come again, and lays out others anew", () => {
  const rows = rowsOf();
  const [one, other] = [[1, 2, 3, 0, 6, 0, 0, 0], [0, 0, 0, 6, 1, 1, 1, 3]];
  const first = rows(one, one);
  assertEquals([first.capacity, first.routed, [...first.loads!.table]], [6, true, one]);
  assertStrictEquals(rows(one, one), first);
  const second = rows(other, other);
  assertEquals([...second.loads!.table], other);
  assert(rowsKey(second) !== rowsKey(first));
  assertEquals(rows(one, one), first);
  assertEquals(rowsKey(rows(one, one)), rowsKey(first));
});

Deno.test("passRows() refuses loads that ranks disagree on or that are not those of the tokens, also after known ones", () => {
  const rows = rowsOf();
  const table = [1, 2, 3, 0, 6, 0, 0, 0];
  rows(table, table);
  const [odd, more] = [table.with(5, 1), table.with(3, 1)];
  assertThrows(
    () => rows(table, odd),
    SchemoeError,
    "rank 1 found that rank 1 sends 1 tokens to expert 1, rank 0 found 0",
  );
  assertThrows(() => rows(more, more), SchemoeError, "those of rank 0 add up to 7");
  assertEquals([...rows(table, table).loads!.table], table);
});
