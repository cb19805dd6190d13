/** Changes of messages between workers, as a line, or a process of another version, may make them. @module */
import type { Change } from "./fault_proxy.ts";

/** Bytes before the object of a message: magic and the sizes of object and body. */
const HEAD_BYTES = 12;
/** Of a Program's body: the seconds of its first operation. */
const FIRST_SECONDS = 64;

const find = (bytes: Uint8Array, text: string): number =>
  new TextDecoder("latin1").decode(bytes).indexOf(text);

/** What a worker says first is no message. */
export const notAMessage: Change = (bytes, from) => {
  if (from === "up" && find(bytes, '"kind":"join"') >= 0) bytes[0] ^= 1;
};

/** The worker presents another token. */
export const wrongToken: Change = (bytes, from) => {
  const key = '"token":"';
  const at = from === "up" ? find(bytes, key) : -1;
  if (at >= 0) bytes[at + key.length] ^= 1;
};

/** The worker's first message says that it is 1 GiB long. */
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
