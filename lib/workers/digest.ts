import { hex } from "./hex.ts";

/** A short name of bytes, equal only for equal bytes. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
