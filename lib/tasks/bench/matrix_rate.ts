/** The rate of a large matrix product, beside which others are put. @module */
import type { Engine } from "../../engine.ts";
import { gemm } from "../../kernels/mod.ts";
import type { Matrix } from "../../kernels/types.ts";
import { timeOf } from "./gpu_rate.ts";
import { repeated } from "./values.ts";

/** Rows and columns of the product that is the yardstick of others. */
const SIDE = 8192;
/** Values that are written at once: prime, so that rows differ. */
const BLOCK = 65_537;

/** TFLOP/s of a product of two large bfloat16 matrices of random numbers, on an engine of one rank. */
export async function matrixRate(engine: Engine): Promise<number> {
  const workspace = engine.workspace();
  try {
    const bytes = 2 * SIDE * SIDE;
    workspace.ensure({ a: bytes, b: bytes, c: bytes });
    for (const [seed, name] of ["a", "b"].entries()) {
      const halves = new Uint16Array(repeated(BLOCK, 1 + seed, 1).buffer);
      const block = new Uint8Array(halves.filter((_, i) => i % 2 === 1).buffer);
      for (let to = 0; to < bytes; to += block.length) {
        workspace.write(name, 0, block.subarray(0, Math.min(block.length, bytes - to)), to);
      }
    }
    const matrix = (buffer: string): Matrix => ({
      ...{ buffer, offset: 0, dtype: "bfloat16", rows: SIDE, columns: SIDE, ld: SIDE },
      ...{ groups: 1, stride: SIDE * SIDE },
    });
    const product = gemm(matrix("a"), matrix("b"), matrix("c"));
    return 2 * SIDE ** 3 / await timeOf(engine, workspace, product) / 1e3;
  } finally {
    workspace.free();
  }
}
