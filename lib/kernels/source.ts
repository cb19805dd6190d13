/** Kernels in C++ and CUDA that are compiled when they are first used. @module */
import { createHash } from "node:crypto";
import type { Matrix } from "./types.ts";
import { type Kernel, SchemoeError, type SourceCode, type View } from "../types.ts";
import { quoted } from "../words.ts";

/** Bytes of a buffer. */
export interface Span extends View {
  /** Length, from the offset on. */
  readonly bytes: number;
}

/** One call of a function. */
export interface SourceCall {
  /** Its pointers, in the order of its parameters. */
  readonly buffers: readonly Span[];
  /** Its integers, likewise; it may take fewer. */
  readonly numbers?: readonly number[];
  /**
   * Place in `buffers` of the one that it writes, all bytes of it and nothing else, and does not read. Its output is
   * then looked at: writing beside it, leaving a byte out and another result for the same values are errors. Default:
   * not known.
   */
  readonly output?: number;
  /** CUDA: threads to start at least, in blocks of 256; default 1. */
  readonly threads?: number;
}

/** Functions of a source as kernels. */
export interface SourceKernels {
  /** A kernel that calls a function. */
  call(name: string, call: SourceCall): Kernel;
  /**
   * Kernels that call a function for the rows of each expert: pointers are to the first row in each matrix, whose rows
   * follow each other without gaps; numbers are rows and columns of the first matrix, then those given. CUDA: a thread
   * for each element of it.
   */
  eachExpert(name: string, matrices: readonly Matrix[], numbers?: readonly number[]): Kernel[];
}

/** Buffers and numbers of a call at most. */
const MOST_BUFFERS = 6;
const MOST_NUMBERS = 8;
const MOST_FUNCTIONS = 16;
/** A name of C++, of which files can be named too. */
const NAME = /^[A-Za-z_]\w{0,63}$/;

/**
 * Kernels for an expert or a gate, given as source in C++ and CUDA: plain functions, compiled when they are first used
 * (by g++ or clang++ on the path; by NVRTC, or nvcc where it is not found) and kept by the hash of source and compiler.
 *
 * A function takes `buffers` pointers to elements as the layer stores them (float32, or with `bfloat16: true` also that), and at most `numbers` integers. On CUDA it is
 * a `__device__` function that all threads of a grid call. Sums are not fused (`-ffp-contract=off`, `-fmad=false`), so
 * that results can be equal to the bit. It must not keep anything between calls: several lanes call it at once.
 *
 * ```ts
 * import { sourceKernels } from "@schemoe/lab/kernels";
 * const twice = sourceKernels({
 *   name: "twice",
 *   functions: { forward: { buffers: 2, numbers: 1 } },
 *   cpu: `void forward(const float* x, float* y, int64_t n) { for (int64_t i = 0; i < n; i++) y[i] = 2 * x[i]; }`,
 *   cuda: `__device__ void forward(const float* x, float* y, int64_t n) {
 *     int64_t i = blockIdx.x * blockDim.x + threadIdx.x;
 *     if (i < n) y[i] = 2 * x[i];
 *   }`,
 * });
 * const span = (buffer: string) => ({ buffer, offset: 0, bytes: 4 * 32 });
 * const kernel = twice.call("forward", { buffers: [span("x"), span("y")], numbers: [32], threads: 32 });
 * console.assert(kernel.name === "call_source");
 * ```
 *
 * @throws {SchemoeError} for a source without code, or names and numbers that cannot be.
 */
export function sourceKernels(code: SourceCode): SourceKernels {
  checkSource(code);
  const names = Object.keys(code.functions);
  const call = (
    name: string,
    { buffers, numbers = [], output, threads = 1 }: SourceCall,
  ): Kernel => {
    const wrong = (problem: string) => failSource(code, `"${name}" ${problem}`);
    if (!names.includes(name)) wrong(`is not one of its functions (${names.join(", ")})`);
    const takes = code.functions[name];
    if (buffers.length !== takes.buffers || numbers.length > MOST_NUMBERS) {
      wrong(
        `takes ${takes.buffers} buffers and at most ${MOST_NUMBERS} numbers, got ` +
          `${buffers.length} and ${numbers.length}`,
      );
    }
    if (output !== undefined && !buffers[output]) wrong(`has no buffer ${output} as its output`);
    const none = { buffer: "", offset: 0 };
    const views = Array.from({ length: MOST_BUFFERS }, (_, i) => {
      const { buffer, offset, bytes = 0 } = buffers[i] ?? none;
      return [{ buffer, offset }, bytes] as (View | number)[];
    });
    const head = [numberOf(code), names.indexOf(name), threads, (output ?? -1) + 1];
    return { name: "call_source", args: [...head, ...views.flat(), ...numbers], source: code };
  };
  return {
    call,
    eachExpert(name, matrices, numbers = []) {
      const [{ groups, columns }] = matrices;
      const kernels: Kernel[] = [];
      for (let group = 0; group < groups; group++) {
        const spans = matrices.map((matrix) => rowsOf(code, matrix, group));
        const [{ rows }] = spans;
        if (rows === 0) continue;
        const of = {
          buffers: spans,
          numbers: [rows, columns, ...numbers],
          threads: rows * columns,
        };
        kernels.push(call(name, of));
      }
      return kernels;
    },
  };
}

/** A source's number in all processes: 53 bits of the hash of all that it says. */
export function numberOf(code: SourceCode): number {
  let number = numbers.get(code);
  if (number === undefined) {
    const { name, functions, cpu = "", cuda = "" } = code;
    const hash = createHash("sha256").update(JSON.stringify([name, functions, cpu, cuda])).digest();
    // 52 bits of it and one that is set: never 0
    number = 2 ** 52 + Number(hash.readBigUInt64LE() % (2n ** 52n));
    numbers.set(code, number);
  }
  return number;
}
const numbers = new WeakMap<SourceCode, number>();

/** @throws {SchemoeError} for a source that cannot be compiled, before anything is. */
export function checkSource(code: SourceCode): void {
  const { name, functions, cpu, cuda, bfloat16 = false } = Object(code) as SourceCode;
  if (typeof name !== "string" || name === "") {
    throw new SchemoeError(`Cannot use the source: it must have a name, got ${quoted(name)}`);
  }
  for (const [kind, text] of Object.entries({ cpu, cuda })) {
    if (text !== undefined && typeof text !== "string") {
      failSource(code, `"${kind}" must be the text of a source, got ${typeof text}`);
    }
  }
  if (typeof bfloat16 !== "boolean") {
    failSource(code, `"bfloat16" must be true or false, got ${quoted(bfloat16)}`);
  }
  if (cpu === undefined && cuda === undefined) {
    failSource(code, 'it has neither "cpu" (C++) nor "cuda" (CUDA)');
  }
  const list = Object.entries(functions ?? {});
  if (list.length === 0 || list.length > MOST_FUNCTIONS) {
    failSource(code, `it has ${list.length} functions, not 1 to ${MOST_FUNCTIONS}`);
  }
  for (const [called, { buffers, numbers }] of list) {
    const among = (value: number, most: number) =>
      Number.isInteger(value) && value >= 0 && value <= most;
    if (!NAME.test(called)) failSource(code, `"${called}" is no name of a function`);
    if (!among(buffers, MOST_BUFFERS) || !among(numbers, MOST_NUMBERS)) {
      failSource(
        code,
        `"${called}" takes ${buffers} buffers and ${numbers} numbers, at most ` +
          `${MOST_BUFFERS} and ${MOST_NUMBERS} are possible`,
      );
    }
  }
}

function failSource({ name }: SourceCode, problem: string): never {
  throw new SchemoeError(`Cannot use the source "${name}": ${problem}`);
}

/** Where the rows of a group lie. */
function rowsOf(code: SourceCode, matrix: Matrix, group: number): Span & { readonly rows: number } {
  const { buffer, offset, columns, ld, stride, ranges, dtype = "float32" } = matrix;
  const rows = ranges ? ranges[group].rows : matrix.rows;
  if (dtype === "bfloat16" && !code.bfloat16) {
    failSource(
      code,
      `the elements of the buffer "${buffer}" are bfloat16; a source whose functions take them (uint16_t*) says ` +
        "bfloat16: true",
    );
  }
  if (ld !== columns && rows > 1) {
    failSource(code, `rows of the buffer "${buffer}" do not follow each other without gaps`);
  }
  const size = dtype === "bfloat16" ? 2 : 4;
  const begin = ranges ? ranges[group].first * ld : group * stride;
  return { buffer, offset: offset + size * begin, bytes: size * rows * columns, rows };
}
