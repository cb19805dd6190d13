/** Numbers of the lanes of a rank that is simulated. @module */
import { LANES } from "../../types.ts";

/** Lanes of a rank: lane `l` of column `c` is slot `LANE_COUNT * c + l`. */
export const LANE_COUNT = LANES.length;

/** The lane on which tasks compute. */
export const COMPUTE = LANES.indexOf("compute");

/** Column of a slot. */
export const columnOf = (slot: number): number => Math.floor(slot / LANE_COUNT);
