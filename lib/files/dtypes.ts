/** Types of values in a safetensors file: 16-bit floats are read as Float32Array. */
interface Arrays {
  F32: Float32Array;
  F16: Float32Array;
  BF16: Float32Array;
  F64: Float64Array;
  I32: Int32Array;
  I64: BigInt64Array;
  U8: Uint8Array;
}

/** Name of a type in a file. */
export type Dtype = keyof Arrays;

/** A tensor: its data are those of `dtype`, row-major. */
export type Tensor = {
  [D in Dtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: Arrays[D] };
}[Dtype];

/** How the values of a type lie in a file, little-endian. */
export interface Codec<Data extends Tensor["data"]> {
  /** Bytes of one value. */
  readonly size: number;
  /** From bytes that belong to the caller and start their buffer, so that they are aligned. */
  readonly decode: (bytes: Uint8Array<ArrayBuffer>) => Data;
  readonly encode: (data: Data) => ArrayBufferView;
}

const same = <Data extends ArrayBufferView>(data: Data): Data => data;

/** The codec of each type. */
export const dtypes: { readonly [D in Dtype]: Codec<Arrays[D]> } = {
  F32: { size: 4, decode: ({ buffer }) => new Float32Array(buffer), encode: same },
  F16: {
    size: 2,
    decode: ({ buffer }) => Float32Array.from(new Float16Array(buffer)),
    encode: (data) => Float16Array.from(data),
  },
  BF16: {
    size: 2,
    decode: ({ buffer }) => {
      const high = new Uint16Array(buffer);
      return new Float32Array(Uint32Array.from(high, (bits) => bits << 16).buffer);
    },
    encode: (data) => Uint16Array.from(new Uint32Array(data.slice().buffer), roundToBf16),
  },
  F64: { size: 8, decode: ({ buffer }) => new Float64Array(buffer), encode: same },
  I32: { size: 4, decode: ({ buffer }) => new Int32Array(buffer), encode: same },
  I64: { size: 8, decode: ({ buffer }) => new BigInt64Array(buffer), encode: same },
  U8: { size: 1, decode: same, encode: same },
};

/** Upper half of float32 bits, rounded to nearest even; a NaN stays one. */
function roundToBf16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
