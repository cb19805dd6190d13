/** Whether predictions have the paper's methods in the order in which they were measured. @module */
import { aNumber, aText, expect, listOf, record } from "../../arguments/mod.ts";
import type { Method, WorkloadName } from "./published.ts";
import type { PaperRow } from "./tables.ts";

const PAPER_ORDERS_ROWS = listOf(
  record("a row of paperTables", { what: aText, workload: aText, milliseconds: aNumber }),
  "rows of paperTables",
);

/** Two methods on one workload. */
export interface PaperOrder {
  /** On which both were measured. */
  readonly workload: WorkloadName;
  /** The one that was measured to be faster. */
  readonly faster: Method;
  /** The other one. */
  readonly slower: Method;
  /** Time of the slower one's step over that of the faster one's. */
  readonly measured: number;
  /** The same from published alpha and beta alone. */
  readonly predicted: number;
}

/**
 * All pairs of methods whose steps the paper measured on the same workload, each once. A prediction below 1 has them in
 * the wrong order, whatever its errors in milliseconds are: what steps have beside their layers is in both.
 *
 * ```ts
 * import { paperOrders, paperTables } from "@schemoe/lab/paper";
 * const orders = paperOrders((await paperTables()).rows);
 * console.assert(orders.every(({ measured }) => measured >= 1));
 * ```
 */
export function paperOrders(rows: readonly PaperRow[]): PaperOrder[] {
  expect("paperOrders", "rows", rows, PAPER_ORDERS_ROWS);
  const orders: PaperOrder[] = [];
  const steps = rows.filter(({ what, table }) => what === "step" && table !== 1);
  for (const [workload, list] of Map.groupBy(steps, (row) => row.workload)) {
    const sorted = list.toSorted((a, b) => a.milliseconds - b.milliseconds);
    for (const [i, one] of sorted.entries()) {
      for (const other of sorted.slice(i + 1)) {
        orders.push({
          workload,
          faster: one.method,
          slower: other.method,
          measured: other.milliseconds / one.milliseconds,
          predicted: other.predictedMs / one.predictedMs,
        });
      }
    }
  }
  return orders;
}
