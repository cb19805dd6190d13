/** Which layout a pass has. @module */
import { byPeers } from "../chunking/peer_groups.ts";
import { SchemoeError } from "../types.ts";
import { paddedRows } from "./padded.ts";
import { raggedLayout } from "./ragged.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

/** The layout of a pass: only the places that are taken where loads are given, else all. */
export function rowLayout(of: RowsOf): RowLayout {
  const { loads, layer, chunks } = of;
  if (layer.groups.count > 1 && byPeers(chunks)) {
    throw new SchemoeError(
      `Cannot split the pass by groups of peers: the world has ${layer.groups.count} expert groups; ` +
        "give chunks: capacitySlices(n)",
    );
  }
  return loads ? raggedLayout({ ...of, loads }) : paddedRows(of);
}
