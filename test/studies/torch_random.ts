/** Random numbers as PyTorch's CPU generator draws them, so that what others publish can be begun from the same values. */

/** The Mersenne Twister of 32 bits (Matsumoto and Nishimura, ACM TOMACS 8 (1998)), seeded as torch.manual_seed does. */
function twister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
  let at = 624;
  return () => {
    if (at === 624) {
      at = 0;
      for (let i = 0; i < 624; i++) {
        const bits = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
      }
    }
    let word = state[at++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

/** A generator after `torch.manual_seed(seed)`. */
export function torchRandom(seed: number) {
  const next = twister(seed);
  /** `torch.empty(count, dtype=torch.float64).uniform_(-bound, bound)`, rounded to float32. */
  const uniform = (count: number, bound: number): Float32Array =>
    Float32Array.from({ length: count }, () => {
      // 53 bits of two words, the first one above
      const high = (next() & 0x1fffff) * 2 ** 32;
      return (high + next()) * 2 ** -53 * 2 * bound - bound;
    });
  /** `torch.randn(count)` in float32, of a multiple of 16: Box and Muller's transformation of 8 pairs at a time. */
  const normal = (count: number): Float32Array => {
    const values = Float32Array.from({ length: count }, () => (next() & 0xffffff) * 2 ** -24);
    for (let first = 0; first < count; first += 16) {
      for (let i = first; i < first + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - values[i]));
        const angle = 2 * Math.PI * values[i + 8];
        [values[i], values[i + 8]] = [radius * Math.cos(angle), radius * Math.sin(angle)];
      }
    }
    return values;
  };
  return { uniform, normal };
}
