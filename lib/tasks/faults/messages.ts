/** Changes of messages between workers, as a line, or a process of another version, may make them. @module */
import { type Change, FaultProxy } from "./proxy.ts";

/** Bytes before the object of a message: magic and the sizes of object and body. */
const HEAD_BYTES = 12;
/** Of a Program's body: the seconds of its first operation. */
const FIRST_SECONDS = 64;

const find = (bytes: Uint8Array, text: string): number =>
  new TextDecoder("latin1").decode(bytes).indexOf(text);

/** A worker's greeting is no message. */
export const notAMessage: Change = (bytes, from) => {
  if (from === "up" && find(bytes, '"kind":"join"') >= 0) bytes[0] ^= 1;
};

/** The worker's proof is one by another token. */
export const wrongToken: Change = (bytes, from) => {
  const key = '"proof":"';
  const at = from === "up" ? find(bytes, key) : -1;
  if (at >= 0) bytes[at + key.length] ^= 1;
};

/** The worker's message to join says that it is 1 GiB long. */
export const tooLarge: Change = (bytes, from) => {
  if (from !== "up" || find(bytes, '"kind":"join"') < 0) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, 1 << 30, true);
};

/** The worker gets another Program than was sent. */
export const changedProgram: Change = (bytes, from) => {
  const at = from === "down" ? find(bytes, '{"kind":"prepare"') : -1;
  if (at < 0) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = at + view.getUint32(at - HEAD_BYTES + 4, true);
  view.setFloat64(body + FIRST_SECONDS, 0.125, true);
};

/** Messages between native engines: 64 bytes of head, of which these are the first for NCCL's ids. */
const JOIN = "SMMG\n\0\0\0";
const NATIVE_HEAD_BYTES = 64;
/** A byte of the first id, behind version and sum. */
const IN_ID = 8 + 40;

/** The ids of NCCL's communicators arrive at the worker with a changed byte. */
export function changedIds(): Change {
  let left = -1; // bytes until that one
  return (bytes, from) => {
    if (from !== "down") return;
    const at = left < 0 ? find(bytes, JOIN) : -1;
    if (at >= 0) left = at + NATIVE_HEAD_BYTES + IN_ID;
    if (left < 0) return;
    if (left < bytes.length) bytes[left] ^= 1;
    left -= bytes.length;
  };
}

/**
 * The native connection of the worker to process 0 goes over a proxy, too.
 *
 * @param opened is given that proxy, to be closed.
 */
export function overNative(change: Change, opened: (proxy: FaultProxy) => void): Change {
  return (bytes, from) => {
    const key = '"all":[{"port":';
    const at = from === "down" ? find(bytes, key) : -1;
    if (at < 0) return;
    // Ports that the system gives have five digits.
    const port = bytes.subarray(at + key.length, at + key.length + 5);
    const proxy = new FaultProxy(Number(new TextDecoder().decode(port)), change);
    opened(proxy);
    new TextEncoder().encodeInto(`${proxy.port}`, port);
  };
}
