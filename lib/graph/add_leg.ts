/** One way of the rows of a chunk, padded or not. @module */
import type { Task } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { addPaddedLeg, type Leg, type Way } from "./leg.ts";
import { addRaggedLeg } from "./ragged_leg.ts";

/** Adds the tasks of a leg; returns those that what comes after it waits for. */
export const addLeg = (g: GraphBuilder, way: Way, leg: Leg): Task[] =>
  way.loads ? addRaggedLeg(g, way, leg) : addPaddedLeg(g, way, leg);
