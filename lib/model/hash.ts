/** Gates of a model that choose by token number. @module */
import { hashTable } from "../blocks/gates/mod.ts";
import type { TensorStore } from "../layer/store.ts";
import { tokenTable } from "../memory/mod.ts";
import type { ModelShape } from "./config.ts";
import { moePrefix } from "./tensors.ts";

/** Gives each table the experts that {@linkcode hashTable} draws, another draw for each layer. */
export function fillTables(shape: ModelShape, store: TensorStore, seed: number): void {
  for (const [index, block] of shape.layers.entries()) {
    const table = "moe" in block ? tokenTable(block.moe) : undefined;
    if (!table || !("moe" in block)) continue;
    const experts = block.moe.gateRows;
    store.write(
      `${moePrefix(index)}gate.table`,
      hashTable({ ...table, experts, seed: seed + index }),
    );
  }
}
