/** The result of a study of routers. @module */
import { type Displayable, displayable } from "../../timeline/mod.ts";
import { balanceSvg, loadsSvg } from "./charts.ts";
import type { RouterRow } from "./row.ts";

/** Rows of a study of routers, as text and as pictures. */
export class RouterStudy {
  /**
   * Rows of {@linkcode routerStudy}.
   * @param facts what the layer was, in words.
   */
  constructor(readonly rows: readonly RouterRow[], readonly facts: readonly string[] = []) {}

  /** A line for each router and skew. */
  get text(): string {
    const width = Math.max(...this.rows.map(({ router }) => router.length), "router".length);
    const line = (name: string, ...cells: readonly string[]) =>
      [name.padEnd(width), ...cells.map((cell) => cell.padStart(10))].join(" ");
    return [
      line("router", "skew", "imbalance", "importance"),
      ...this.rows.map(({ router, skew, imbalance, importance }) =>
        line(
          router,
          `${skew}`,
          imbalance.toFixed(2),
          Number.isNaN(importance) ? "-" : importance.toFixed(3),
        )
      ),
    ].join("\n");
  }

  /** The same text. */
  toString(): string {
    return this.text;
  }

  /** SVG text: load of each expert over the mean, a row for each router, side by side for each skew. */
  loadsSvg(): Promise<string> {
    return loadsSvg(this.rows, this.facts);
  }

  /** SVG text: the importance loss over the imbalance, a line for each router with scores. */
  balanceSvg(): Promise<string> {
    return balanceSvg(this.rows, this.facts);
  }

  /** The heat map with the table below, for a notebook. */
  async loads(): Promise<Displayable> {
    return displayable({ text: this.text, svg: await this.loadsSvg() });
  }

  /** The loss against the imbalance, for a notebook. */
  async balance(): Promise<Displayable> {
    const even = this.rows.filter(({ imbalance }) => imbalance < 1.05);
    const names = [...new Set(even.map(({ router }) => router))].join(", ") || "none";
    const text = `within 5 % of even: ${names}`;
    return displayable({ text, svg: await this.balanceSvg() });
  }
}
