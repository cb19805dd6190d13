/**
 * Floating-point numbers of 8 bits: every code has a value in a table of 256; encoding rounds to the
 * nearest value, ties to the even code.
 * @module
 */

/** A format of 8 bits. */
export interface SmallFloat {
  readonly decode: (codes: Uint8Array) => Float32Array<ArrayBuffer>;
  readonly encode: (values: Float32Array) => Uint8Array<ArrayBuffer>;
}

/** Bits and special codes of a format with a sign. */
interface Layout {
  readonly mantissa: number;
  readonly bias: number;
  /** Codes without their sign from here on are NaN; none in a format of one NaN. */
  readonly nan: number;
  /** Code of infinity, where the format has one. */
  readonly infinity?: number;
  /** Code of the one NaN that takes the place of negative zero. */
  readonly negativeZero?: number;
}

/** 4 exponent bits, no infinity: OCP 8-bit Floating Point Specification, revision 1.0. */
export const e4m3 = signed({ mantissa: 3, bias: 7, nan: 0x7f });
/** 5 exponent bits, infinities as in IEEE 754: OCP 8-bit Floating Point Specification, revision 1.0. */
export const e5m2 = signed({ mantissa: 2, bias: 15, nan: 0x7d, infinity: 0x7c });
/** The variants of AMD's MI300: one NaN, no infinity, no negative zero (arXiv:2206.02915). */
export const e4m3fnuz = signed({ mantissa: 3, bias: 8, nan: 0x80, negativeZero: 0x80 });
export const e5m2fnuz = signed({ mantissa: 2, bias: 16, nan: 0x80, negativeZero: 0x80 });

/** Powers of two, the scales of OCP Microscaling Formats (revision 1.0): no sign, no zero. */
export const e8m0: SmallFloat = (() => {
  const values = Float32Array.from({ length: 255 }, (_, code) => 2 ** (code - 127));
  const table = Float32Array.from([...values, NaN]);
  const encodeOne = (value: number) =>
    value >= 0 && value < Infinity ? nearest(values, value) : 255;
  return codecOf(table, encodeOne);
})();

function signed({ mantissa, bias, nan, infinity, negativeZero }: Layout): SmallFloat {
  const positive = Float64Array.from({ length: 128 }, (_, code) => {
    if (code === infinity) return Infinity;
    if (code >= nan) return NaN;
    const [exponent, fraction] = [code >> mantissa, (code & ((1 << mantissa) - 1)) / 2 ** mantissa];
    return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  });
  const table = Float32Array.from(
    { length: 256 },
    (_, code) => code === negativeZero ? NaN : code < 128 ? positive[code] : -positive[code - 128],
  );
  const finite = positive.subarray(0, Math.min(nan, infinity ?? 128, 128));
  const largest = finite.length - 1;
  // What lies beyond half a step above the largest value has none.
  const limit = finite[largest] + (finite[largest] - finite[largest - 1]) / 2;
  const beyond = infinity ?? (negativeZero ?? nan);
  const encodeOne = (value: number): number => {
    if (Number.isNaN(value)) return negativeZero ?? 0x7f;
    const size = Math.abs(value);
    const even = largest % 2 === 0 ? size > limit : size >= limit;
    const code = even ? beyond : nearest(finite, size);
    const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
    return code === 0 && negativeZero !== undefined ? 0 : code | sign;
  };
  return codecOf(table, encodeOne);
}

/** Loops, because `from` with a function takes ten times as long. */
function codecOf(table: Float32Array, encodeOne: (value: number) => number): SmallFloat {
  return {
    decode(codes) {
      const values = new Float32Array(codes.length);
      for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]];
      return values;
    },
    encode(values) {
      const codes = new Uint8Array(values.length);
      for (let i = 0; i < values.length; i++) codes[i] = encodeOne(values[i]);
      return codes;
    },
  };
}

/** Index of the nearest of ascending values, the even one where two are as near. */
function nearest(values: Float32Array | Float64Array, value: number): number {
  let [low, high] = [0, values.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle;
    else high = middle;
  }
  const [below, above] = [value - values[low], values[high] - value];
  return below < above || (below === above && low % 2 === 0) ? low : high;
}
