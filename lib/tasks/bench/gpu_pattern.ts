/**
 * Data that two programs can make alike without sending gigabytes: a block of random numbers, repeated
 * from an offset on. `torch_peer.py` reads the block from a file.
 * @module
 */
import { dtypes } from "../../files/dtypes.ts";
import { randomNormal } from "../../random.ts";
import type { ElementType } from "../../kernels/types.ts";
import type { Workspace } from "../../engine.ts";

/** Prime, so that rows of a matrix differ. */
const BLOCK = 1_048_583;

/** The block: float32 numbers that bfloat16 holds exactly. */
export function makeBlock(): Float32Array {
  const values = randomNormal(BLOCK, { seed: 20_240_422 });
  const bits = dtypes.BF16.encode(values) as Uint16Array<ArrayBuffer>;
  return dtypes.BF16.decode(new Uint8Array(bits.buffer));
}

/** How a tensor follows from the block: element i is `scale * block[(offset + i) % BLOCK]`. */
export interface Pattern {
  readonly count: number;
  readonly offset: number;
  readonly scale: number;
  readonly dtype: ElementType;
}

/** Fills a buffer of rank 0. */
export function writePattern(
  workspace: Workspace,
  name: string,
  block: Float32Array,
  { count, offset, scale, dtype }: Pattern,
): void {
  const codec = dtype === "bfloat16" ? dtypes.BF16 : dtypes.F32;
  const turned = new Float32Array(BLOCK);
  for (let i = 0; i < BLOCK; i++) turned[i] = scale * block[(offset + i) % BLOCK];
  const encoded = codec.encode(turned);
  const bytes = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  workspace.ensure({ [name]: codec.size * count });
  for (let begin = 0; begin < count; begin += BLOCK) {
    const here = Math.min(BLOCK, count - begin);
    workspace.write(name, 0, bytes.subarray(0, codec.size * here), codec.size * begin);
  }
}
