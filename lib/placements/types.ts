/** The interface of placements: which ranks hold which experts, with copies. @module */
/** Experts of each rank; an expert may be on several. */
export interface Placement {
  /** What captions and errors call it. */
  readonly name: string;
  /** Experts of the layer. */
  readonly experts: number;
  /** Experts of each rank, by slot. */
  readonly slots: readonly (readonly number[])[];
}

/** Worlds that placements are made for. */
export interface PlacementWorld {
  /** Machines. */
  readonly nodes: number;
  /** Ranks of each. */
  readonly ranksPerNode: number;
}
