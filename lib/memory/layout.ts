/** Which layout a pass has. @module */
import { aLayer, expect, record } from "../arguments/mod.ts";
import { countedLayout } from "./counted.ts";
import { paddedRows } from "./padded.ts";
import { raggedLayout } from "./ragged.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

const ROW_LAYOUT_OF = record("rows of a layer { layer }", { layer: aLayer });

/** The layout of a pass: only the places that are taken where loads are given or counted, else all. */
export function rowLayout(of: RowsOf): RowLayout {
  expect("rowLayout", "of", of, ROW_LAYOUT_OF);
  const { loads, counted } = of;
  if (counted) return countedLayout({ ...of, counted });
  return loads ? raggedLayout({ ...of, loads }) : paddedRows(of);
}
