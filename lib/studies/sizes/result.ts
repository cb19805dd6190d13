/** The times of all-to-alls by size: table, picture and reasons. @module */
import { displayable, type MediaBundle, type PngOptions, svgToPng } from "../../timeline/mod.ts";
import type { Theme } from "../../timeline/chart/theme.ts";
import { alignedText } from "../../timeline/table/aligned_text.ts";
import { formatBytes, formatTime } from "../../timeline/table/format.ts";
import { worldText } from "../../timeline/chart/facts.ts";
import type { Topology } from "../../types.ts";
import { curvesSvg } from "../what_if_chart.ts";

/** One all-to-all at one size. */
export interface AllToAllSizeRow {
  /** Name of the algorithm. */
  readonly allToAll: string;
  /** Bytes that each rank holds. */
  readonly bytes: number;
  /** Simulated. */
  readonly seconds: number;
  /** Of these, what remains where bytes take no time: messages starting one after another. */
  readonly startUp: number;
  /** On emulated links, where that was asked for. */
  readonly measured?: number;
}

/** Sizes in a row at which one all-to-all is the fastest. */
export interface Win {
  /** Name of the fastest. */
  readonly allToAll: string;
  /** First size, bytes of a rank. */
  readonly from: number;
  /** Last size. */
  readonly to: number;
  /** Over the next one, at the first and the last of these sizes. */
  readonly ahead: readonly [number, number];
  /** What makes it faster, in words. */
  readonly why: string;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** As a cell's last value it shows curves, table and reasons. */
export class AllToAllSizes {
  /** Made by {@linkcode allToAllSizes}. */
  constructor(readonly topology: Topology, readonly rows: readonly AllToAllSizeRow[]) {}

  /** Bytes of a rank, rising. */
  get sizes(): number[] {
    return [...new Set(this.rows.map(({ bytes }) => bytes))];
  }

  /** The world in words: `8 x 4 ranks, 2080ti-ib100`. */
  get world(): string {
    return worldText(this.topology).split(" \u00b7 ")[0];
  }

  /** The fastest at each size. */
  get best(): AllToAllSizeRow[] {
    return this.sizes.map((bytes) => this.#ranked(bytes)[0]);
  }

  /** Which is fastest where; why it is ahead of the one that is fastest next to that, or else of the second. */
  get wins(): Win[] {
    const { sizes, best } = this;
    const starts = best.flatMap(({ allToAll }, i) => allToAll === best[i - 1]?.allToAll ? [] : [i]);
    return starts.map((start, i) => {
      const end = (starts[i + 1] ?? sizes.length) - 1;
      const { allToAll } = best[start];
      // beside the next winner at the last size before it, beside the one before at the first size after it
      const at = i + 1 < starts.length ? end : start;
      const other = best[starts[i + 1] ?? starts[i - 1]]?.allToAll;
      const ranked = this.#ranked(sizes[at]);
      const second = ranked.find((row) => row.allToAll === other) ?? ranked[1] ?? ranked[0];
      const ahead = (of: number) => {
        const [first, next = first] = this.#ranked(sizes[of]);
        return next.seconds / first.seconds;
      };
      return {
        allToAll,
        from: sizes[start],
        to: sizes[end],
        ahead: [ahead(start), ahead(end)],
        why: `beside ${second.allToAll}, ${reason(ranked[0], second)}`,
      };
    });
  }

  /** The wins in words. */
  get summary(): string {
    return this.wins.map(({ allToAll, from, to, ahead: [a, b], why }) => {
      const where = from === to ? formatBytes(from) : `${formatBytes(from)} to ${formatBytes(to)}`;
      const by = a.toFixed(2) === b.toFixed(2)
        ? `${a.toFixed(2)}x`
        : `${a.toFixed(2)}x to ${b.toFixed(2)}x`;
      return `${allToAll} is the fastest from ${where}, ${by} over the next: ${why}`;
    }).join("\n");
  }

  /** Times by size on logarithmic axes; circles are what was measured. */
  async svg(options: { readonly theme?: Theme } = {}): Promise<string> {
    const { sizes, rows } = this;
    const names = [...new Set(rows.map(({ allToAll }) => allToAll))];
    const circles = rows.flatMap(({ bytes, measured }) =>
      measured === undefined ? [] : [{ x: bytes, y: 1e6 * measured }]
    );
    return await curvesSvg({
      title: `All-to-alls by size, ${this.world}`,
      x: { label: "bytes that each rank holds", values: sizes },
      y: { label: `time (us)${circles.length ? "; circles: on emulated links" : ""}` },
      zero: false,
      logarithmic: { x: true, y: true },
      curves: names.map((name) => ({
        name,
        y: rows.filter(({ allToAll }) => allToAll === name).map(({ seconds }) => 1e6 * seconds),
      })),
      marks: circles,
      notes: [`simulated · ${worldText(this.topology)}`],
    }, options);
  }

  /** The table as text. */
  toString(): string {
    const head = ["bytes", "all-to-all", "time", "start-up", "over best", "emulated"];
    const lines = this.sizes.flatMap((bytes) => {
      const [{ seconds: best }] = this.#ranked(bytes);
      return this.rows.filter((row) => row.bytes === bytes).map((row) => [
        formatBytes(bytes),
        row.allToAll,
        formatTime(row.seconds * 1e9),
        formatTime(row.startUp * 1e9),
        `${(row.seconds / best).toFixed(2)}x`,
        row.measured === undefined ? "" : formatTime(row.measured * 1e9),
      ]);
    });
    const columns = lines.some((line) => line[5] !== "") ? 6 : 5;
    return alignedText([head, ...lines].map((line) => line.slice(0, columns)));
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg({ theme: "light" }), options);
  }

  /** Curves, table and reasons, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    const shown = displayable({ text: `${this}\n${this.summary}`, svg: await this.svg() });
    return await shown[DISPLAY]();
  }

  #ranked(bytes: number): AllToAllSizeRow[] {
    return this.rows.filter((row) => row.bytes === bytes).toSorted((a, b) => a.seconds - b.seconds);
  }
}

/** What the first gains over another: starts of messages or the way of the bytes. */
function reason(first: AllToAllSizeRow, other: AllToAllSizeRow): string {
  const start = other.startUp - first.startUp;
  const bytes = other.seconds - other.startUp - (first.seconds - first.startUp);
  if (start + bytes <= 1e-9 * first.seconds) return "both move the same in the same way";
  if (start >= bytes) {
    const more = bytes < 0 ? ", which is more than its bytes take longer" : "";
    return `its messages start in ${us(start)} less${more}`;
  }
  const more = start < 0 ? ", which is more than its messages take longer to start" : "";
  return `its bytes take ${us(bytes)} less${more}`;
}

const us = (seconds: number) => formatTime(seconds * 1e9);
