/** Tokens that are padding, and go nowhere. @module */
import type { Kernel } from "../../types.ts";
import type { GateContext, GateShape, GateTensor } from "./types.ts";

const WORD = 4;

/** `gate.padding` [ranks, tokens]: other than 0 where a token is padding; 0 until it is set. */
export const paddingTensor = ({ tokens }: GateShape): GateTensor => ({
  name: "padding",
  shape: [tokens],
  dtype: "int32",
  life: "input",
});

/** Takes the choices of padding away. */
export function dropPadding(c: GateContext): Kernel {
  const { tokens, topK } = c;
  const padding = c.tensor("padding");
  return c.host(({ read, write }) => {
    const marks = new Int32Array(read(padding, WORD * tokens).buffer);
    const choices = read(c.choices, WORD * tokens * topK);
    const words = new Int32Array(choices.buffer);
    for (const [token, mark] of marks.entries()) {
      if (mark !== 0) words.fill(-1, token * topK, (token + 1) * topK);
    }
    write(c.choices, choices);
  });
}
