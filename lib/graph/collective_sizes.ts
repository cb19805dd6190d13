/** How much the values of a collective move, add and code: what prices them. @module */
import type { CollectiveCounts } from "../alltoall/types.ts";
import type { ElementType } from "../kernels/types.ts";
import { elementSize } from "../memory/mod.ts";
import type { Transfer, View } from "../types.ts";
import type { RowCoding } from "./row_coding.ts";

/** What slices hold, and where they lie. */
export interface SliceValues {
  /** Bytes of a slice of a rank's input. */
  bytes(rank: number, input: number): number;
  /** Type of the values; default `float32`. */
  readonly dtype?: ElementType;
  /** Where slices of a rank's input begin: they lie one after another. */
  readonly input: View;
  /** Where slices of a rank's output begin. */
  readonly output: View;
  /** Name of a buffer of its own. */
  readonly scratch: string;
  /** Bytes of a row, where slices consist of rows that are counted. */
  readonly rowBytes?: number;
  /** How rows are coded that slices consist of, where they cross to other nodes; default not at all. */
  readonly coding?: RowCoding;
}

/** Sizes of the values of slices, by rank and phase. */
export interface CollectiveSizes {
  /** What they are sizes of. */
  readonly values: SliceValues;
  /** Bytes of a value. */
  readonly elementBytes: number;
  /** What a rank moves, as it is on the wire. */
  moved(rank: number, phase: number): Pick<Transfer, "kind" | "peer" | "bytes">[];
  /** Additions of single values. */
  additions(rank: number, phase: number): number;
  /** Rows that a rank sends, or receives; of values with a coding. */
  crossing(rank: number, phase: number, side: "send" | "receive"): number;
}

/** Sizes of slices that consist of rows, by how many rows there are. */
export class CountedSizes implements CollectiveSizes {
  readonly elementBytes: number;

  /** @param rowBytes of these values. */
  constructor(
    readonly values: SliceValues,
    readonly counts: CollectiveCounts,
    readonly rowBytes: number,
  ) {
    this.elementBytes = elementSize(values.dtype ?? "float32");
  }

  moved(rank: number, phase: number): Pick<Transfer, "kind" | "peer" | "bytes">[] {
    const { coding } = this.values;
    const crosses = this.counts.phases[phase].lane === "inter";
    const bytes = crosses && coding ? coding.wireBytes : this.rowBytes;
    if (bytes === 0) return [];
    return this.counts.moved(rank, phase).map(({ kind, peer, rows }) => {
      return { kind, peer, bytes: rows * bytes };
    });
  }

  additions(rank: number, phase: number): number {
    return this.counts.added(rank, phase) * this.rowBytes / this.elementBytes;
  }

  crossing(rank: number, phase: number, side: "send" | "receive"): number {
    return this.counts.moved(rank, phase)
      .reduce((sum, { kind, rows }) => kind === side ? sum + rows : sum, 0);
  }
}
