/** What exchanges of a routing cost, by how uneven it is. @module */
import {
  aCount,
  atLeastZero,
  aTopology,
  expect,
  listOf,
  maybe,
  options,
  something,
} from "../../arguments/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import { loadsOf, type RouterTrace, trafficOfLoads, zipfRouting } from "../../routing/mod.ts";
import { displayable, type MediaBundle, type PngOptions, svgToPng } from "../../timeline/mod.ts";
import { worldText } from "../../timeline/chart/facts.ts";
import type { Theme } from "../../timeline/chart/theme.ts";
import { alignedText } from "../../timeline/table/aligned_text.ts";
import { SchemoeError, type Topology } from "../../types.ts";
import { curvesSvg } from "../what_if_chart.ts";
import { compareAllToAlls } from "./compare.ts";

const SKEW_COSTS_OPTIONS = options({
  topology: aTopology,
  bytesPerToken: aCount,
  skews: maybe(listOf(atLeastZero, "exponents")),
  routing: something,
  allToAlls: maybe(listOf(something, "all-to-alls")),
});

/** Which routings, on which world. */
export interface SkewOptions {
  /** World of the exchange. */
  readonly topology: Topology;
  /** Bytes of a token on its way, such as 2 modelDim. */
  readonly bytesPerToken: number;
  /** Values on the axis; default 0 to 1.2 in steps of 0.2. */
  readonly skews?: readonly number[];
  /** A routing of each skew, or the sizes of one by Zipf's law, the skew being its exponent. */
  readonly routing:
    | ((skew: number) => RouterTrace)
    | { readonly tokens: number; readonly experts: number; readonly topK?: number };
  /** Built-in ones or values; default linear, pipe and those that plan by traffic. */
  readonly allToAlls?: readonly (AllToAll | string)[];
}

/** One all-to-all at one skew. */
export interface SkewRow {
  /** As it was given. */
  readonly skew: number;
  /** Name of the algorithm. */
  readonly allToAll: string;
  /** Of the exchange. */
  readonly seconds: number;
  /** Least seconds of any algorithm. */
  readonly bound: number;
}

const SKEWS = [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2];
const NAMES = ["linear", "pipe", "balanced", "rails", "fast", "matchings"];
const DISPLAY = Symbol.for("Jupyter.display");

/** As a cell's last value it shows a curve for each all-to-all, and that of the bound. */
export class SkewCosts {
  /**
   * Rows of {@linkcode skewCosts} and the world that they are of.
   * @param routing sizes of the routing in words, "" where each skew has its own.
   */
  constructor(
    readonly topology: Topology,
    readonly rows: readonly SkewRow[],
    readonly routing: string = "",
  ) {}

  /** Values on the axis. */
  get skews(): number[] {
    return [...new Set(this.rows.map(({ skew }) => skew))];
  }

  /** SVG text: a curve for each all-to-all, and that of the bound. */
  async svg(options: { readonly theme?: Theme } = {}): Promise<string> {
    const { skews, rows } = this;
    const names = [...new Set(rows.map(({ allToAll }) => allToAll))];
    const curve = (name: string) =>
      rows.filter(({ allToAll }) => allToAll === name).map(({ seconds }) => 1e3 * seconds);
    const bounds = skews.map((skew) => 1e3 * rows.find((row) => row.skew === skew)!.bound);
    return await curvesSvg({
      title: `An exchange by skew, ${worldText(this.topology).split(" \u00b7 ")[0]}`,
      x: { label: `skew${this.routing === "" ? "" : " (exponent of Zipf's law)"}`, values: skews },
      y: { label: "time (ms)" },
      zero: true,
      logarithmic: { x: false, y: false },
      curves: [...names.map((name) => ({ name, y: curve(name) })), { name: "bound", y: bounds }],
      marks: [],
      notes: [`simulated · ${worldText(this.topology)}`, this.routing],
    }, options);
  }

  /** The times as text. */
  toString(): string {
    const names = [...new Set(this.rows.map(({ allToAll }) => allToAll))];
    const lines = this.skews.map((skew) => {
      const of = this.rows.filter((row) => row.skew === skew);
      const times = of.map(({ seconds }) => `${(1e3 * seconds).toFixed(3)} ms`);
      return [`${skew}`, ...times, `${(1e3 * of[0].bound).toFixed(3)} ms`];
    });
    return alignedText([["skew", ...names, "bound"], ...lines]);
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg({ theme: "light" }), options);
  }

  /** Curves and times, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    return await displayable({ text: `${this}`, svg: await this.svg() })[DISPLAY]();
  }
}

/**
 * Simulates one exchange of routings of more and more skew under several all-to-alls, beside the bound.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab";
 * import { skewCosts } from "@schemoe/lab/studies";
 * const { topology } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 4 });
 * const routing = { tokens: 1024, experts: 32, topK: 2 };
 * const costs = skewCosts({ topology, bytesPerToken: 8192, routing, skews: [0, 1.2] });
 * console.assert(costs.rows.every(({ seconds, bound }) => seconds >= bound));
 * ```
 * @throws {SchemoeError} for no skews, unknown names, and a routing of another world.
 */
export function skewCosts(options: SkewOptions): SkewCosts {
  expect("skewCosts", "options", options, SKEW_COSTS_OPTIONS);
  const { topology, bytesPerToken, skews = SKEWS, routing, allToAlls = NAMES } = options;
  if (skews.length === 0) throw new SchemoeError("Cannot compare routings: there are no skews");
  const { ranks } = topology;
  const traceOf = typeof routing === "function"
    ? routing
    : (exponent: number) => zipfRouting({ ...routing, ranks, exponent });
  const rows = skews.flatMap((skew) => {
    const traffic = trafficOfLoads(loadsOf(traceOf(skew)), bytesPerToken);
    const { rows, bound } = compareAllToAlls(topology, traffic, allToAlls);
    return rows.map(({ allToAll, seconds }): SkewRow => ({ skew, allToAll, seconds, bound }));
  });
  const sizes = typeof routing === "function"
    ? ""
    : `tokens ${routing.tokens} a rank · ${routing.experts} experts, top-${routing.topK ?? 1} · ` +
      `${bytesPerToken} bytes a token`;
  return new SkewCosts(topology, rows, sizes);
}
