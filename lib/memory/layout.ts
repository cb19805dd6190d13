/** Which layout a pass has. @module */
import { paddedRows } from "./padded.ts";
import { raggedLayout } from "./ragged.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

/** The layout of a pass: only the places that are taken where loads are given, else all. */
export function rowLayout(of: RowsOf): RowLayout {
  const { loads } = of;
  return loads ? raggedLayout({ ...of, loads }) : paddedRows(of);
}
