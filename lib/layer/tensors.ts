/** Tensors of a layer in the buffers of all ranks. @module */
import type { Layer } from "../blocks/mod.ts";
import { layerTensors } from "../memory/mod.ts";
import { elements } from "../memory/mod.ts";
import { type ElementType, SchemoeError, type Workspace } from "../types.ts";
import { dtypes } from "../files/dtypes.ts";

/** How a tensor lies over the ranks. */
export interface TensorSpec {
  /** Name in the workspace. */
  readonly buffer: string;
  /** Shape over all ranks. */
  readonly shape: readonly number[];
  /** `split`: each rank holds its part of the first dimension; `same`: all of it. */
  readonly placement: "split" | "same";
  readonly dtype: ElementType;
}

const CODEC = { float32: dtypes.F32, bfloat16: dtypes.BF16 } as const;

/** All tensors that a user may set or read: input, output, parameters and their gradients. */
export function tensorSpecs(layer: Layer): Map<string, TensorSpec> {
  const table = layerTensors(layer);
  const names = table.names("input", "output", "gradient", "parameter");
  return new Map(
    names.filter((name) => !/^gate\.(loads|allLoads|capacity)/.test(name)).map((name) => {
      const { shape, placement, dtype } = table.get(name);
      return [name, { buffer: name, shape, placement, dtype: dtype as ElementType }];
    }),
  );
}

/** Bytes of a tensor on each rank. */
export function localBytes(spec: TensorSpec, ranks: number): number {
  return (CODEC[spec.dtype].size * elements(spec.shape)) /
    (spec.placement === "split" ? ranks : 1);
}

/** Writes a tensor to all ranks. @throws {SchemoeError} when it has another number of values. */
export function writeTensor(
  workspace: Workspace,
  ranks: number,
  name: string,
  spec: TensorSpec,
  values: Float32Array,
): void {
  if (!(values instanceof Float32Array) || values.length !== elements(spec.shape)) {
    const got = values instanceof Float32Array
      ? `${values.length} values`
      : Object.prototype.toString.call(values);
    throw new SchemoeError(
      `Cannot set "${name}": expected a Float32Array of shape [${spec.shape.join(", ")}] ` +
        `(${elements(spec.shape)} values), got ${got}`,
    );
  }
  const local = localBytes(spec, ranks);
  workspace.ensure({ [spec.buffer]: local });
  for (let rank = 0; rank < ranks; rank++) {
    const { size, encode } = CODEC[spec.dtype];
    const count = local / size;
    const begin = spec.placement === "split" ? rank * count : 0;
    workspace.write(spec.buffer, rank, encode(values.subarray(begin, begin + count)));
  }
}

/** Reads a tensor from all ranks, or from rank 0 where all hold the same. */
export function readTensor(
  workspace: Workspace,
  ranks: number,
  spec: TensorSpec,
): Float32Array<ArrayBuffer> {
  const local = localBytes(spec, ranks);
  if (spec.placement === "same") {
    return CODEC[spec.dtype].decode(workspace.read(spec.buffer, 0, local)) as Float32Array<
      ArrayBuffer
    >;
  }
  const values = new Float32Array(elements(spec.shape));
  for (let rank = 0; rank < ranks; rank++) {
    const part = CODEC[spec.dtype].decode(workspace.read(spec.buffer, rank, local));
    values.set(part, rank * part.length);
  }
  return values;
}
