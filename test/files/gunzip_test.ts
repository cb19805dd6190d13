import { assert, assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { gunzip, inflateLimit } from "../../lib/files/gunzip.ts";
import { bytesOf } from "../../lib/files/gzip.ts";
import { fromChromeTrace } from "../../lib/timeline/trace/import.ts";
import { SchemoeError } from "../../lib/types.ts";

const packed = (text: string) => new Uint8Array(gzipSync(text));
const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const text = async (bytes: Uint8Array) => new TextDecoder().decode(await gunzip(bytes, 1e6));
const zeros = (count: number) => new Uint8Array(count);

Deno.test("gunzip() reads all members, and skips zeros between and after them", async () => {
  const [a, b] = [packed("one "), packed("two")];
  assertEquals(await text(a), "one ");
  assertEquals(await text(joined(a, b)), "one two");
  assertEquals(await text(joined(a, zeros(512))), "one ");
  assertEquals(await text(joined(a, zeros(7), b, zeros(1))), "one two");
  assertEquals(await text(joined(packed(""), a, packed(""))), "one ");
  assertEquals(await text(joined(...Array(300).fill(packed("x")))), "x".repeat(300));
});

Deno.test("gunzip() takes no memory for each of many small members", async () => {
  const one = packed("x");
  const all = new Uint8Array(40_000 * one.length);
  for (let at = 0; at < all.length; at += one.length) all.set(one, at);
  const before = Deno.memoryUsage().rss;
  assertEquals((await gunzip(all, 1e6)).length, 40_000);
  assert(Deno.memoryUsage().rss - before < 300e6); // a stream for each takes 50 KB
});

Deno.test("gunzip() reads members of any size", async () => {
  const sizes = [0, 1, 4095, 4096, 4097, 65536, 100_000];
  const members = sizes.map((size) => new Uint8Array(gzipSync(zeros(size).fill(size % 256))));
  const whole = await gunzip(joined(...members, zeros(3)), 1e6);
  assertEquals(whole, joined(...sizes.map((size) => zeros(size).fill(size % 256))));
});

Deno.test("gunzip() reads headers with names, comments, extra fields and check sums", async () => {
  const plain = packed("hello");
  const header = plain.slice(0, 10);
  header[3] = 2 | 4 | 8 | 16;
  const fields = [3, 0, 1, 2, 3, ...new TextEncoder().encode("trace.json\0a comment\0"), 9, 9];
  assertEquals(await text(joined(header, Uint8Array.from(fields), plain.slice(10))), "hello");
  // extra fields of 44 + 256 bytes
  header[3] = 4;
  const extra = [44, 1, ...new Uint8Array(300).fill(7)];
  assertEquals(await text(joined(header, Uint8Array.from(extra), plain.slice(10))), "hello");
});

Deno.test("gunzip() says what is damaged at which byte", async () => {
  const whole = packed("hello hello hello");
  for (let length = 2; length < whole.length; length++) {
    await assertRejects(() => gunzip(whole.subarray(0, length), 1e6), Error, "it is cut off");
  }
  await assertRejects(
    () => gunzip(joined(whole, new Uint8Array([1, 2])), 1e6),
    Error,
    `what follows at byte ${whole.length} is neither gzip nor padding`,
  );
  const damaged = whole.slice();
  damaged[damaged.length - 6] ^= 1;
  await assertRejects(() => gunzip(damaged, 1e6), Error, "is not that of its contents");
  await assertRejects(
    () => gunzip(Uint8Array.of(0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0, 1), 1e6),
    Error,
    "its header at byte 0 is damaged",
  );
  let state = 7;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  const good = joined(whole, zeros(3), packed("second member"));
  for (let i = 0; i < 500; i++) {
    const bytes = good.slice();
    bytes[random(bytes.length)] = random(256);
    await gunzip(bytes, 1e5).catch((error) => assert(error instanceof Error));
  }
});

Deno.test("a gzipped trace becomes at most so many times larger, unless it is allowed", async () => {
  const spaces = new Uint8Array(gzipSync(new Uint8Array(2 ** 26).fill(0x20)));
  assertEquals(inflateLimit(spaces.length), 2 ** 25);
  assertEquals(inflateLimit(1e6), 5e7);
  const before = Deno.memoryUsage().rss;
  const error = await assertRejects(() => fromChromeTrace(spaces), SchemoeError);
  assertEquals(
    error.message,
    `Cannot import the trace given: it cannot be unpacked: more than 33554432 bytes come out of its ` +
      `${spaces.length}; "inflateLimit" allows more`,
  );
  assert(Deno.memoryUsage().rss - before < 300e6);
  await assertRejects(
    () => fromChromeTrace(spaces, { inflateLimit: 2 ** 27 }),
    SchemoeError,
    "it is not JSON",
  );
  await assertRejects(
    () => bytesOf(packed("hello"), "Cannot do it", 4),
    SchemoeError,
    "more than 4",
  );
});
