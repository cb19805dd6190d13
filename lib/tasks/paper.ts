/**
 * The tables of the ScheMoE paper, predicted from published alpha and beta alone, with the error beside each
 * entry and the assumptions that fail; writes all numbers to `out/paper.json`.
 *
 * usage: deno task paper [--quick]
 *
 * `--quick` takes every 25th layer of the grid of 675.
 * @module
 */
import { parseArgs } from "node:util";
import {
  findings,
  GRID_MEAN,
  paperGrid,
  type PaperOrder,
  paperOrders,
  paperSizes,
  paperTables,
} from "../studies/paper/mod.ts";
import { formatPercent } from "../timeline/mod.ts";
import { testbed } from "../testbeds/mod.ts";
import { SchemoeError } from "../types.ts";
import { argumentProblem, task, taskArguments } from "./build/command.ts";

const OUT = "out";
const QUICK = 25;
const USAGE = "usage: deno task paper [--quick]";
/** Layers to a character of the histogram. */
const BAR = 5;

await task(async () => {
  const { quick } = options();
  const { sources } = testbed("2080ti-ib100");
  console.log("Published numbers that predictions are made of:");
  for (const source of sources) console.log(`  ${source}`);
  const tables = await paperTables();
  printTables(tables.rows);
  const orders = paperOrders(tables.rows);
  printOrders(orders);
  console.log("\nAssumptions that fail, and what would explain it:");
  const sizes = paperSizes();
  const found = findings(tables, sizes);
  for (const { assumption, because, measure } of found) {
    console.log(`  Assumed: ${assumption}\n    ${because}\n    to be measured: ${measure}`);
  }
  printSizes(sizes);
  const grid = await paperGrid(undefined, { every: quick ? QUICK : 1 });
  console.log(
    `\nTable 4, Tutel over ScheMoE on ${grid.layers} layers: predicted mean ${
      grid.mean.toFixed(2)
    }x ` +
      `(${grid.least.toFixed(2)} to ${grid.most.toFixed(2)}), measured ${GRID_MEAN.toFixed(2)}x`,
  );
  for (const { from, layers } of grid.histogram) {
    const bar = "#".repeat(Math.ceil(layers / BAR));
    console.log(`  ${from.toFixed(1)}x ${`${layers}`.padStart(4)} ${bar}`);
  }
  Deno.mkdirSync(OUT, { recursive: true });
  const written = { sources, ...tables, orders, findings: found, sizes, grid };
  Deno.writeTextFileSync(`${OUT}/paper.json`, JSON.stringify(written, undefined, 1) + "\n");
  console.log(`\nwritten to ${OUT}/paper.json`);
});

function options(): { quick: boolean } {
  try {
    const { values } = parseArgs({
      args: taskArguments(USAGE),
      options: { quick: { type: "boolean", default: false } },
    });
    return { quick: values.quick ?? false };
  } catch (cause) {
    throw new SchemoeError(`${argumentProblem(cause)}; ${USAGE}`, { cause });
  }
}

function printTables(rows: Awaited<ReturnType<typeof paperTables>>["rows"]): void {
  const columns = ["measured ms", "predicted", "error", "explained", "error"];
  console.log(
    `\n${"table".padEnd(6)}${"workload".padEnd(16)}${"method".padEnd(12)}${"what".padEnd(12)}` +
      columns.map((name) => name.padStart(12)).join("") + "  chosen",
  );
  for (const row of rows) {
    const numbers = [
      row.milliseconds.toFixed(0),
      row.predictedMs.toFixed(0),
      formatPercent(row.error),
      row.table === 1 && row.what === "all-to-alls" ? "given" : row.explainedMs.toFixed(0),
      formatPercent(row.explainedError),
    ];
    console.log(
      `${`${row.table}`.padEnd(6)}${row.workload.padEnd(16)}${row.method.padEnd(12)}` +
        `${row.what.padEnd(12)}${numbers.map((text) => text.padStart(12)).join("")}  ${row.chosen}`,
    );
  }
  console.log("explained: all-to-alls as slow as table 1 has them, which is not a prediction");
}

function printOrders(orders: readonly PaperOrder[]): void {
  const right = orders.filter(({ predicted }) => predicted > 1).length;
  console.log(
    `\nPairs of methods in the order in which they were measured: ${right} of ${orders.length}`,
  );
  for (const { workload, faster, slower, measured, predicted } of orders) {
    console.log(
      `  ${workload.padEnd(16)}${`${slower} over ${faster}`.padEnd(26)}` +
        `measured ${measured.toFixed(2)}x, predicted ${predicted.toFixed(2)}x` +
        (predicted > 1 ? "" : ": the wrong order"),
    );
  }
}

function printSizes(sizes: ReturnType<typeof paperSizes>): void {
  const names = ["linear", "hierarchical1d", "hierarchical2d", "pipe"] as const;
  const head = ["bytes", ...names, "best over pipe"];
  console.log("\nFigure 9, us by bytes of a rank:");
  console.log(head.map((name) => name.padStart(16)).join(""));
  for (const row of sizes) {
    const best = Math.min(row.linear, row.hierarchical1d, row.hierarchical2d);
    const cells = [`${row.bytes}`, ...names.map((name) => row[name].toFixed(1))];
    console.log(
      [...cells, `${(best / row.pipe).toFixed(2)}x`].map((text) => text.padStart(16)).join(""),
    );
  }
}
