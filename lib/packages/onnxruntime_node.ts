/**
 * `onnxruntime-node` by name: the package itself, fetched when this module is first imported (290 MB). A
 * specifier that Deno could read beforehand would be in the lock, and every task would fetch it.
 * @module
 */
import { loadOnnxRuntime, type OnnxRuntime } from "../blocks/experts/onnx_runtime.ts";

const loaded: OnnxRuntime = await loadOnnxRuntime();

/** A model, made by `await InferenceSession.create(path or bytes)`. */
export const { InferenceSession, Tensor } = loaded;
export default loaded;
