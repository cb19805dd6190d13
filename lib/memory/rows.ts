/**
 * Where the rows of tokens lie on their way to the experts and back: the only place that knows.
 *
 * Each pair of ranks exchanges one block of rows in a chunk. A rank's own rows (the tokens' side) lie as they
 * travel, block after block; the rows of its experts lie expert by expert, so that a chunk is a range of rows
 * of each. Layouts differ in which places have rows: `padded.ts` all of them,
 * `ragged.ts` only the occupied ones, and so has `counted.ts`, whose numbers are not known before a Program runs.
 * @module
 */
import type { Layer } from "../blocks/mod.ts";
import type { Arrangement, Places, Rows } from "../kernels/mod.ts";
import type { Chunk, CountedRows, Loads } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";

/** Parameters of the layout of a pass's rows. */
export interface RowsOf {
  /** The checked layer. */
  readonly layer: Layer;
  /** Places of an expert, or slot, for the tokens of one rank. */
  readonly capacity: number;
  /** How the pass is split. */
  readonly chunks: readonly Chunk[];
  /** Present where only places that are taken have rows. */
  readonly loads?: Loads;
  /** In place of loads, where these are counted as the Program runs: rows of each rank, in one chunk. */
  readonly counted?: readonly CountedRows[];
  /** With a placement of a padded layer: places of an expert, beyond which choices go nowhere. */
  readonly limit?: number;
}

/** The towards-experts (1) or back (2) way of the rows of a chunk. */
export interface LegOf {
  /** 1 towards the experts, 2 back. */
  readonly number: 1 | 2;
  /** Index of the chunk. */
  readonly chunk: number;
}

/** Consecutive blocks of a rank: those of the peers from `begin` to `end`, each `groups` x `rows` rows. */
export interface Piece {
  /** Where the rows of the first block lie, and the distances from there. */
  readonly rows: Rows;
  /** First peer. */
  readonly begin: number;
  /** Peer after the last one. */
  readonly end: number;
  /** Groups of a block: experts of the chunk. */
  readonly groups: number;
  /** Rows of a group. */
  readonly rowsOfGroup: number;
  /** Rows of each expert in the block where they differ; there is one block and one group then. */
  readonly groupRows?: readonly number[];
  /** Whether each block lies in one piece, row after row. */
  readonly contiguous: boolean;
}

/** The blocks of one leg. */
export interface LegRows {
  /** Rows of the block from a rank to another; 0 where they exchange nothing. */
  rows(from: number, to: number): number;
  /** The same for each expert, in the order in which they follow each other. */
  groupRows(from: number, to: number): readonly number[];
  /** Present where all blocks that exist have as many rows; `pairs` then says which exist. */
  readonly even?: {
    readonly rows: number;
    readonly pairs?: (from: number, to: number) => boolean;
    /** Blocks lie by the place of a rank in its expert group, and others exchange nothing. */
    readonly grouped?: boolean;
  };
  /** Present where rows are counted: those of each rank. Numbers of rows are then those of about equal loads. */
  readonly counted?: readonly CountedRows[];
  /** Rows of every block between ranks that exchange some, where blocks of equal size lie anywhere. */
  readonly equal?: number;
  /** Most rows that a rank sends, or receives, on this leg. */
  readonly most: number;
  /** The blocks among a rank's own rows, in a buffer. */
  tokens(rank: number, buffer: string): readonly Piece[];
  /** First row of the block for, or from, a peer among a rank's own rows. */
  firstRow(rank: number, peer: number): number;
  /** The blocks among the rows of a rank's experts; undefined where they must be arranged. */
  experts(rank: number, buffer: string): readonly Piece[] | undefined;
  /** How rows of experts and blocks one after another correspond, where they must be arranged. */
  arrangement(rank: number, at: { readonly rows: string; readonly wire: string }): Arrangement;
}

/** Rows of a pass. */
export interface RowLayout {
  /** Rows that a rank sends in all chunks. */
  readonly sent: number;
  /** Rows to provide for the experts of a rank. */
  readonly room: number;
  /** Rows of the experts of a rank in a chunk; without a rank, of the busiest. */
  rowsIn(chunk: number, rank?: number): number;
  /** Whether ranks differ in their numbers of rows. */
  readonly uneven: boolean;
  /** The rows of a rank as the kernels of dispatch and combine see them. */
  places(rank: number): Places;
  /** Rows of a chunk among those of the experts of a rank, without buffer and columns. */
  matrix(chunk: number, rank: number): {
    readonly first: number;
    readonly rows: number;
    readonly groups: number;
    /** Rows from expert to expert; NaN where `ranges` says where each begins, or they are counted. */
    readonly stride: number;
    readonly ranges?: Matrix["ranges"];
    readonly counted?: CountedRows;
  };
  /** The blocks of a chunk on one of its ways. */
  leg(leg: LegOf): LegRows;
  /** Row, among those of the experts of a rank, of a place that a source's token takes in a slot of the rank. */
  expertRow(rank: number, at: TakenPlace): number;
}

/** A place of an expert that a token takes. */
export interface TakenPlace {
  /** Rank of the token. */
  readonly source: number;
  /** Among the slots of the rank. */
  readonly slot: number;
  /** Place among those of the slot for tokens of this rank. */
  readonly place: number;
}
