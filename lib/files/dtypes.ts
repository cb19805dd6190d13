/**
 * Types of values in a safetensors file, and the arrays they are read as. Floating-point types of 16
 * and 8 bits become float32, which holds all of their values; types below 8 bits stay packed.
 * @module
 */
import { bfloat16Of, floatsOfBfloat16 } from "../bfloat16.ts";
import { e4m3, e4m3fnuz, e5m2, e5m2fnuz, e8m0, type SmallFloat } from "./small_floats.ts";

/** The array that values of each type are read as. */
export interface DtypeArrays {
  /** 32-bit floats. */
  F32: Float32Array;
  /** IEEE half precision, widened. */
  F16: Float32Array;
  /** bfloat16, widened. */
  BF16: Float32Array;
  /** 64-bit floats. */
  F64: Float64Array;
  /** Signed 32-bit integers. */
  I32: Int32Array;
  /** Signed 64-bit integers. */
  I64: BigInt64Array;
  /** Unsigned bytes. */
  U8: Uint8Array;
  /** 0 is false; the format says nothing of values above 1, which stay as they are. */
  BOOL: Uint8Array;
  /** Signed bytes. */
  I8: Int8Array;
  /** Signed 16-bit integers. */
  I16: Int16Array;
  /** Unsigned 16-bit integers. */
  U16: Uint16Array;
  /** Unsigned 32-bit integers. */
  U32: Uint32Array;
  /** Unsigned 64-bit integers. */
  U64: BigUint64Array;
  /** Real and imaginary part of each value. */
  C64: Float32Array;
  /** Floats of 4 bits of exponent and 3 of mantissa (OCP), widened. */
  F8_E4M3: Float32Array;
  /** Floats of 5 bits of exponent and 2 of mantissa (OCP), widened. */
  F8_E5M2: Float32Array;
  /** As F8_E4M3 with one NaN, no infinity and no negative zero, widened. */
  F8_E4M3FNUZ: Float32Array;
  /** As F8_E5M2 with one NaN, no infinity and no negative zero, widened. */
  F8_E5M2FNUZ: Float32Array;
  /** Powers of two: scales of blocks. */
  F8_E8M0: Float32Array;
  /** Packed: two values in a byte. */
  F4: Uint8Array;
  /** Packed: four values in three bytes. */
  F6_E2M3: Uint8Array;
  /** Packed: four values in three bytes. */
  F6_E3M2: Uint8Array;
}

/** Name of a type in a file. */
export type Dtype = keyof DtypeArrays;

/** A tensor: its data are those of `dtype`, row-major. */
export type Tensor = {
  [D in Dtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: DtypeArrays[D];
  };
}[Dtype];

/** The values of a tensor. */
export type TensorData = Tensor["data"];

/** How the values of a type lie in a file, little-endian. */
export interface Codec<Data extends TensorData> {
  /** Bytes of one value of the shape; a fraction where values are packed. */
  readonly size: number;
  /** Elements of the array for one value of the shape: 1 but for complex and packed ones. */
  readonly elements: number;
  /** The class of the array. */
  readonly array: { new (length: number): Data; readonly name: string };
  /** From bytes that belong to the caller and start their buffer, so that they are aligned. */
  readonly decode: (bytes: Uint8Array<ArrayBuffer>) => Data;
  readonly encode: (data: Data) => ArrayBufferView;
}

type PlainArray<Data> = {
  new (length: number): Data;
  new (buffer: ArrayBuffer): Data;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
};

/** Values that lie in memory as they lie in the file. */
function plain<Data extends TensorData>(
  array: PlainArray<NoInfer<Data>>,
  elements = 1,
): Codec<Data> {
  const size = array.BYTES_PER_ELEMENT * elements;
  return {
    size,
    elements,
    array,
    decode: ({ buffer }) => new array(buffer),
    encode: (data) => data,
  };
}

const eightBits = ({ decode, encode }: SmallFloat): Codec<Float32Array> => ({
  size: 1,
  elements: 1,
  array: Float32Array,
  decode,
  encode,
});

/** The codec of each type. */
export const dtypes: { readonly [D in Dtype]: Codec<DtypeArrays[D]> } = {
  F32: plain(Float32Array),
  F16: {
    size: 2,
    elements: 1,
    array: Float32Array,
    decode: ({ buffer }) => Float32Array.from(new Float16Array(buffer)),
    encode: (data) => Float16Array.from(data),
  },
  BF16: {
    size: 2,
    elements: 1,
    array: Float32Array,
    decode: ({ buffer }) => floatsOfBfloat16(new Uint16Array(buffer)),
    encode: bfloat16Of,
  },
  F64: plain(Float64Array),
  I32: plain(Int32Array),
  I64: plain(BigInt64Array),
  U8: plain(Uint8Array),
  BOOL: plain(Uint8Array),
  I8: plain(Int8Array),
  I16: plain(Int16Array),
  U16: plain(Uint16Array),
  U32: plain(Uint32Array),
  U64: plain(BigUint64Array),
  C64: plain(Float32Array, 2),
  F8_E4M3: eightBits(e4m3),
  F8_E5M2: eightBits(e5m2),
  F8_E4M3FNUZ: eightBits(e4m3fnuz),
  F8_E5M2FNUZ: eightBits(e5m2fnuz),
  F8_E8M0: eightBits(e8m0),
  F4: plain(Uint8Array, 1 / 2),
  F6_E2M3: plain(Uint8Array, 3 / 4),
  F6_E3M2: plain(Uint8Array, 3 / 4),
};
