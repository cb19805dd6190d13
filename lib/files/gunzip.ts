/**
 * Gzip (RFC 1952) unpacked: files of several members, padding of zeros, and a limit on the output.
 * @module
 */
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";

/** Bytes that an archive may always become, however small it is. */
const FLOOR = 1 << 25;
/** Times its size that an archive may become: traces become 5 to 30 times as large. */
const RATIO = 50;

/** Most bytes that an archive of this size becomes by default. */
export const inflateLimit = (bytes: number): number => Math.max(FLOOR, RATIO * bytes);

/** Contents of a member that are unpacked at once: a stream for each of many small ones costs 50 KB and 0.1 ms. */
const SMALL = 1 << 12;
/** Members unpacked at once after which others have a turn. */
const TURN = 256;

/** Bits of a member's flags, and its fixed sizes. */
const [HEADER_CRC, EXTRA, NAME, COMMENT, RESERVED] = [2, 4, 8, 16, 0xe0];
const [HEADER_BYTES, TRAILER_BYTES] = [10, 8];

/** Whether bytes begin as gzip does. */
export const isGzip = (bytes: Uint8Array, at = 0): boolean =>
  bytes[at] === 0x1f && bytes[at + 1] === 0x8b;

/**
 * The contents of all members one after another; zero bytes between and after them are padding.
 *
 * @param limit bytes that may come out
 * @throws {Error} saying what is wrong at which byte, or that more than `limit` bytes come out.
 */
export async function gunzip(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  const take = (part: Uint8Array) => {
    total += part.length;
    if (total > limit) {
      throw new Error(
        `more than ${limit} bytes come out of its ${bytes.length}; "inflateLimit" allows more`,
      );
    }
    // A few bytes do not keep the room that they were unpacked into.
    parts.push(2 * part.length < part.buffer.byteLength ? part.slice() : part);
  };
  for (let at = 0, members = 0; at < bytes.length;) {
    if (at > 0 && bytes[at] === 0) at++;
    else {
      at = await member(bytes, at, take);
      if (++members % TURN === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Unpacks the member that begins at a byte. @returns where it ends. */
async function member(
  bytes: Uint8Array,
  begin: number,
  take: (part: Uint8Array) => void,
): Promise<number> {
  if (!isGzip(bytes, begin)) {
    throw new Error(`what follows at byte ${begin} is neither gzip nor padding`);
  }
  let [sum, size] = [0, 0];
  const data = dataBegin(bytes, begin);
  const sized = (part: Uint8Array) => {
    sum = crc32(part, sum);
    size += part.length;
    take(part);
  };
  const end = inflateSmall(bytes, data, sized) ?? await inflate(bytes, data, sized);
  if (end + TRAILER_BYTES > bytes.length) throw cutOff(bytes);
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end);
  if (trailer.getUint32(0, true) !== sum || trailer.getUint32(4, true) !== size % 2 ** 32) {
    throw new Error(`its check sum at byte ${end} is not that of its contents: it is damaged`);
  }
  return end + TRAILER_BYTES;
}

/** Where the compressed data of a member begin. */
function dataBegin(bytes: Uint8Array, begin: number): number {
  if (begin + HEADER_BYTES > bytes.length) throw cutOff(bytes);
  const flags = bytes[begin + 3];
  if (bytes[begin + 2] !== 8 || (flags & RESERVED) !== 0) {
    throw new Error(`its header at byte ${begin} is damaged`);
  }
  let at = begin + HEADER_BYTES;
  if (flags & EXTRA) at += 2 + bytes[at] + 256 * bytes[at + 1];
  for (const text of [NAME, COMMENT]) {
    if (flags & text) at = bytes.indexOf(0, at) + 1 || Infinity;
  }
  if (flags & HEADER_CRC) at += 2;
  if (!(at < bytes.length)) throw cutOff(bytes);
  return at;
}

/** Unpacks a short deflate stream at once. @returns where it ends; undefined for one that is long or damaged. */
function inflateSmall(
  bytes: Uint8Array,
  begin: number,
  take: (part: Uint8Array) => void,
): number | undefined {
  let unpacked: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    const options = { info: true, maxOutputLength: SMALL, chunkSize: SMALL };
    unpacked = inflateRawSync(bytes.subarray(begin), options) as never;
  } catch {
    return undefined; // the stream says what is wrong
  }
  const { buffer, byteOffset, byteLength } = unpacked.buffer;
  take(new Uint8Array(buffer, byteOffset, byteLength));
  return begin + unpacked.engine.bytesWritten;
}

/** Unpacks the deflate stream that begins at a byte. @returns where it ends. */
function inflate(
  bytes: Uint8Array,
  begin: number,
  take: (part: Uint8Array) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = createInflateRaw({ chunkSize: 1 << 16 });
    stream.on("data", (part: Uint8Array) => {
      try {
        take(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      } catch (error) {
        reject(error);
        stream.destroy();
      }
    });
    stream.on("error", (error: Error) => {
      reject(error.message === "unexpected end of file" ? cutOff(bytes) : error);
    });
    stream.on("end", () => {
      resolve(begin + stream.bytesWritten);
      stream.destroy();
    });
    stream.end(bytes.subarray(begin));
  });
}

const cutOff = ({ length }: Uint8Array) =>
  new Error(`it ends in the middle of a member, after ${length} bytes: it is cut off`);
