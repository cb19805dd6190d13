/** Repeatable random tensors. @module */
import { anInteger, elementCount, expect, finite, maybe, options } from "./arguments/mod.ts";
import { SchemoeError } from "./types.ts";

const RANDOM_NORMAL_OPTIONS = options({ seed: anInteger, scale: maybe(finite) });

/** Standard normal numbers times `scale` from a seed (splitmix32 and Box-Muller). */
export function randomNormal(
  count: number,
  options: { seed: number; scale?: number },
): Float32Array {
  expect("randomNormal", "count", count, elementCount);
  expect("randomNormal", "options", options, RANDOM_NORMAL_OPTIONS);
  const { seed, scale = 1 } = options;
  const uniform = uniforms(seed);
  const values = allocated(count);
  for (let i = 0; i < count; i += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

function allocated(count: number): Float32Array {
  try {
    return new Float32Array(count);
  } catch (cause) {
    throw new SchemoeError(
      `Cannot make ${count} random values: that is more than an array can hold; make the layer smaller`,
      { cause },
    );
  }
}

/** Uniform numbers in [0, 1) from a seed. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}
