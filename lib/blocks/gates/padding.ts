/** Tokens that are padding, and go nowhere. @module */
import type { GateShape, GateTensor } from "./types.ts";

/** `gate.padding` [ranks, tokens]: other than 0 where a token is padding; 0 until it is set. */
export const paddingTensor = ({ tokens }: GateShape): GateTensor => ({
  name: "padding",
  shape: [tokens],
  dtype: "int32",
  life: "input",
});
