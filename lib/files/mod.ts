/**
 * Files of tensors: safetensors.
 * @module
 */
export * from "./safetensors.ts";
