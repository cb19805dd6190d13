/** The interface of placements: which ranks hold which experts, with copies. @module */
/** Experts of each rank; an expert may be on several. */
export interface Placement {
  readonly name: string;
  readonly experts: number;
  /** Experts of each rank, by slot. */
  readonly slots: readonly (readonly number[])[];
}

/** Worlds that placements are made for. */
export interface PlacementWorld {
  readonly nodes: number;
  readonly ranksPerNode: number;
}
