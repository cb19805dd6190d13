import { assertEquals, assertThrows } from "@std/assert";
import { deflateSync } from "node:zlib";
import { SchemoeError } from "../../mod.ts";
import { textVectors } from "../../lib/tasks/text/rdata.ts";

const u32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

/** A record of an object that holds a character vector, after some bytes of a header. */
function record(lines: readonly string[]): number[] {
  const strings = lines.map((line) => [...new TextEncoder().encode(line)]);
  const raw = [
    0x58,
    0x0a,
    0,
    0,
    0,
    3,
    0,
    0,
    0,
    0x10,
    ...u32(lines.length),
    ...strings.flatMap((bytes) => [...u32(0x00040009), ...u32(bytes.length), ...bytes]),
  ];
  return [...u32(raw.length), ...deflateSync(Uint8Array.from(raw))];
}

Deno.test("textVectors() reads the text of each record", () => {
  const file = Uint8Array.from([...record(["It is", "", "£3"]), ...record(["Emma"])]);
  assertEquals(textVectors(file), [["It is", "", "£3"], ["Emma"]]);
});

Deno.test("textVectors() names a record that it cannot read", () => {
  const good = record(["It is"]);
  const refused = (bytes: number[], text: string) =>
    assertThrows(() => textVectors(Uint8Array.from(bytes)), SchemoeError, text);
  refused([...good, 0, 0, 0, 9, 1, 2, 3], `the record at byte ${good.length} is no zlib stream`);
  refused([...u32(7), ...good.slice(4)], "not 7");
  const empty = Uint8Array.from(Array(16).fill(1));
  refused([...u32(16), ...deflateSync(empty)], "the record at byte 0 holds no text");
});
