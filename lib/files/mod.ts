/**
 * Files of tensors: safetensors, read and written as a whole or in pieces.
 * @module
 */
export * from "./safetensors.ts";
export { openSafetensors, type SafetensorsFile } from "./safetensors_file.ts";
export {
  type TensorSource,
  type ValueRange,
  type WritableTensors,
  writeSafetensors,
  writeSummed,
} from "./safetensors_write.ts";
export { checkSums } from "./safetensors_sums.ts";
export type { SafetensorsHeader } from "./safetensors_header.ts";
export type { TensorShape } from "./safetensors_encode.ts";
export type { Dtype, DtypeArrays, Tensor } from "./dtypes.ts";
