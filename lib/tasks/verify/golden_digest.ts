/** A hash of the results of a reference case. @module */
import { digest } from "../../workers/digest.ts";

/** The first 16 digits of the SHA-256 of all tensors, by name. */
export async function goldenDigest(results: ReadonlyMap<string, Float32Array>): Promise<string> {
  const names = [...results.keys()].sort();
  const blob = new Blob(names.map((name) => new Float32Array(results.get(name)!)));
  return (await digest(new Uint8Array(await blob.arrayBuffer()))).slice(0, 16);
}
