/** Codecs in C++ and CUDA. @module */
import { aText, checkFields, expect, record } from "../arguments/mod.ts";
import { sourceKernels } from "../kernels/source.ts";
import { SchemoeError } from "../types.ts";
import type { Compressor, WireBlock } from "./types.ts";

const COMPRESSOR_SOURCE = record(
  "a codec in native code, an object { name, wireBytes, cpu, cuda }",
  { name: aText },
);

/** What {@linkcode compressor} is made of. */
export interface CompressorSource {
  /** What captions and errors call it. */
  readonly name: string;
  /** Bytes of the rows of one expert on the wire, always the same for a number of rows and columns. */
  wireBytes(rows: number, columns: number): number;
  /** C++ with the functions `encode` and `decode`; default: not for engines on the CPU. */
  readonly cpu?: string;
  /** CUDA with the same as `__device__` functions; default: not for engines on GPUs. */
  readonly cuda?: string;
  /** See {@linkcode Compressor.height}. */
  readonly height?: number;
  /** See {@linkcode Compressor.tolerance}. */
  readonly tolerance?: Compressor["tolerance"];
}

const FIELDS = ["name", "wireBytes", "cpu", "cuda", "height", "tolerance"];
/** Pointers of each function: rows and wire. */
const BUFFERS = 2;
/** Rows, columns, rank, peer, chunk, leg, pass. */
const NUMBERS = 7;

/**
 * A codec from source, compiled when it is first used: by g++ or clang++ (or `CXX` of the environment) on the CPU; on
 * GPUs by NVRTC, found as NCCL is or at `SCHEMOE_NVRTC`, else by nvcc. What is compiled is kept in `SCHEMOE_CACHE`, by
 * default the user's folder of caches. Errors of the compiler come with the lines of the source.
 *
 * Pointers to the wire are aligned as `wireBytes` is: to 4 bytes where that is always a multiple of 4.
 *
 * The interface, in which further integers may be left out from the end:
 *
 * ```c++
 * // rows [count, columns] of one expert, one after another, to exactly wireBytes(count, columns) bytes, and back
 * void encode(const float* rows, int64_t count, int64_t columns, uint8_t* wire,
 *             int64_t rank, int64_t peer,  // where it runs, and the other end of the wire
 *             int64_t chunk,
 *             int64_t leg,                 // 1 towards the experts, 2 back
 *             int64_t backward);           // 0 in the forward pass, 1 in the backward pass
 * void decode(const uint8_t* wire, int64_t count, int64_t columns, float* rows,
 *             int64_t rank, int64_t peer, int64_t chunk, int64_t leg, int64_t backward);
 * ```
 *
 * In CUDA they are `__device__` functions, called by all threads of a grid of `count * columns` threads at least in
 * blocks of 256. Rows of a layer in bfloat16 are given, and taken back, as floats. The code runs on several processes
 * too, each of which compiles it. It is called on several threads at once and may keep nothing between calls.
 *
 * Refused, naming the function: bytes that are written beside the wire (each call on the CPU; on CUDA and for the rest
 * the first call of each size), bytes of it that are not written, other bytes for the same rows. On CUDA that first
 * call is of zeros.
 *
 * ```ts
 * import { compressor } from "@schemoe/lab/compressors";
 * const halves = compressor({
 *   name: "halves",
 *   wireBytes: (rows, columns) => 2 * rows * columns,
 *   cpu: `
 *     void encode(const float* rows, int64_t count, int64_t columns, uint8_t* wire) {
 *       for (int64_t i = 0; i < count * columns; i++) std::memcpy(wire + 2 * i, (const char*)(rows + i) + 2, 2);
 *     }
 *     void decode(const uint8_t* wire, int64_t count, int64_t columns, float* rows) {
 *       for (int64_t i = 0; i < count * columns; i++) {
 *         uint32_t bits = (wire[2 * i] | wire[2 * i + 1] << 8) << 16;
 *         std::memcpy(rows + i, &bits, 4);
 *       }
 *     }`,
 * });
 * console.assert(halves.wireBytes({ rows: 3, columns: 8 }) === 48);
 * ```
 *
 * @throws {SchemoeError} where a part is missing or unknown; compiling throws in the first run.
 */
export function compressor(source: CompressorSource): Compressor {
  expect("compressor", "source", source, COMPRESSOR_SOURCE);
  const { name, wireBytes, cpu, cuda, height, tolerance } = source;
  checkFields(source, FIELDS, {
    what: "the source",
    of: "a part of it",
    fail(problem) {
      throw new SchemoeError(`Cannot make the compressor "${name}": ${problem}`);
    },
  });
  if (typeof wireBytes !== "function") {
    throw new SchemoeError(
      `Cannot make the compressor "${name}": it has no function wireBytes(rows, columns)`,
    );
  }
  const kernels = sourceKernels({
    name,
    functions: {
      encode: { buffers: BUFFERS, numbers: NUMBERS },
      decode: { buffers: BUFFERS, numbers: NUMBERS },
    },
    ...(cpu === undefined ? {} : { cpu }),
    ...(cuda === undefined ? {} : { cuda }),
  });
  return {
    name,
    kernels,
    grouped: true,
    ...(height === undefined ? {} : { height }),
    ...(tolerance ? { tolerance } : {}),
    wireBytes: ({ rows, columns, groups = [rows] }: WireBlock) =>
      groups.reduce((sum, n) => n === 0 ? sum : sum + wireBytes.call(source, n, columns), 0),
  };
}
