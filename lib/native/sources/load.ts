/** Compiles a source and gives it to the native library, once in a process. @module */
import { numberOf } from "../../kernels/source.ts";
import { SchemoeError, type SourceCode } from "../../types.ts";
import { FailureRecord } from "../failure.ts";
import type { NativeSymbols } from "../library.ts";
import { compileCpp } from "./compiler.ts";
import { compileCuda } from "./cuda.ts";

/** What of a source is loaded, and where. */
export interface LoadOptions {
  readonly library: NativeSymbols;
  /** Of the engine. */
  readonly kind: "cpu" | "cuda";
  readonly code: SourceCode;
}

const KINDS = { cpu: 0, cuda: 1 } as const;
const loaded = new WeakMap<NativeSymbols, Set<string>>();

/** @throws {SchemoeError} with the messages of the compiler, where it cannot be compiled. */
export function loadSource({ library, kind, code }: LoadOptions): void {
  const known = loaded.get(library) ?? new Set<string>();
  loaded.set(library, known);
  const number = numberOf(code);
  const key = `${kind} ${number}`;
  if (known.has(key)) return;
  if (code[kind] === undefined) {
    throw new SchemoeError(
      `Cannot compile the source "${code.name}": the engine is "${kind}", and it has only ` +
        (kind === "cpu" ? '"cuda"' : '"cpu"'),
    );
  }
  const text = (value: string) => new TextEncoder().encode(value);
  const image = kind === "cpu" ? text(compileCpp(code)) : compileCuda(code);
  const failure = new FailureRecord();
  failure.unwrap(library.schemoe_load_source(
    ...[KINDS[kind], BigInt(number), text(`${code.name}\0`)] as const,
    text(`${Object.keys(code.functions).join("\n")}\0`),
    image,
    ...[BigInt(image.byteLength), failure.bytes] as const,
  ));
  known.add(key);
}
