/** Which layout a pass has. @module */
import { countedLayout } from "./counted.ts";
import { paddedRows } from "./padded.ts";
import { raggedLayout } from "./ragged.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

/** The layout of a pass: only the places that are taken where loads are given or counted, else all. */
export function rowLayout(of: RowsOf): RowLayout {
  const { loads, counted } = of;
  if (counted) return countedLayout({ ...of, counted });
  return loads ? raggedLayout({ ...of, loads }) : paddedRows(of);
}
