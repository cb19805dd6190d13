import { root } from "./command.ts";

const path = `${root}/deno.lock`;
/** Deno locks what is imported, and every task fetches what is locked: this one is 290 MB. */
const large = "onnxruntime-node";

/** Runs a body; if it made Deno lock ONNX Runtime, puts the lock file back as it was. */
export async function keepLock<T>(body: () => Promise<T>): Promise<T> {
  const before = await locked();
  try {
    return await body();
  } finally {
    const after = await locked();
    if (before && after.includes(large) && !before.includes(large)) {
      await Deno.writeTextFile(path, before);
    }
  }
}

/** What is locked; nothing in an archive without a lock file. */
async function locked(): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "";
  }
}
