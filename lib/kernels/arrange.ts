/** Kernels that move unpadded rows between wire and experts. @module */
import { aSize, aView, expect, record } from "../arguments/mod.ts";
import type { ElementType } from "./types.ts";
import type { CountedRows, Kernel, Loads, View } from "../types.ts";
import { typeCode } from "./linear.ts";

const RANGE = record("a range { begin, end }", { begin: aSize, end: aSize });
const ARRANGEMENT = record(
  "rows that move { columns, loads, bySource, sources, places, wire, rows }",
  {
    columns: aSize,
    loads: record("loads", {}),
    sources: RANGE,
    places: RANGE,
    wire: aView,
    rows: aView,
  },
);

/** What moves: the places of a chunk, from some source ranks to the experts of one rank. */
export interface Arrangement {
  /** Type of the rows; default `float32`. */
  readonly dtype?: ElementType;
  /** Values of a row. */
  readonly columns: number;
  /** Loads of all ranks for the experts of this rank alone; where they are counted as the Program runs, whose they are. */
  readonly loads: Loads | CountedRows;
  /** Rows of an expert lie source after source instead of place after place. */
  readonly bySource: boolean;
  /** Ranks whose rows move, from `begin` to before `end`. */
  readonly sources: { readonly begin: number; readonly end: number };
  /** Places of the chunk, from `begin` to before `end`. */
  readonly places: { readonly begin: number; readonly end: number };
  /** [sources][experts][places that are taken]. */
  readonly wire: View;
  /** [experts][places that are taken][sources that have them], of all places and sources. */
  readonly rows: View;
}

function kernel(name: string, a: Arrangement): Kernel {
  const { loads, sources, places } = a;
  const counted = "table" in loads ? undefined : loads;
  const { ranks } = loads;
  const experts = counted ? counted.experts / ranks : loads.experts;
  return {
    name,
    args: [
      typeCode(a.dtype),
      Number(a.bySource),
      a.columns,
      ranks,
      experts,
      sources.begin,
      sources.end - sources.begin,
      places.begin,
      places.end,
      a.wire,
      a.rows,
    ],
    ...("table" in loads ? { more: loads.table } : { counted: loads }),
  };
}

/** From the wire to the rows of the experts. */
export function groupRows(arrangement: Arrangement): Kernel {
  expect("groupRows", "arrangement", arrangement, ARRANGEMENT);
  return kernel("group_rows", arrangement);
}

/** From the rows of the experts to the wire. */
export function ungroupRows(arrangement: Arrangement): Kernel {
  expect("ungroupRows", "arrangement", arrangement, ARRANGEMENT);
  return kernel("ungroup_rows", arrangement);
}
