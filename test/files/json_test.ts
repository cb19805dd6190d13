import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseJson } from "../../lib/files/json.ts";
import { parseSafetensors } from "../../lib/files/safetensors.ts";
import { SchemoeError } from "../../lib/types.ts";

const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

Deno.test("parseJson() is JSON.parse up to 64 values within each other", () => {
  for (
    const text of ['{"a":[1,{"b":"]]]}{{[[\\\\"}]}', '"\\"[[["', "null", nested(64), '["', "{]"]
  ) {
    let expected: unknown;
    try {
      expected = JSON.parse(text);
    } catch {
      assertThrows(() => parseJson(text), SyntaxError);
      continue;
    }
    assertEquals(parseJson(text), expected);
  }
  assertEquals(parseJson(JSON.stringify("[".repeat(100))), "[".repeat(100));
  assertThrows(() => parseJson(nested(65)), SyntaxError, "values are nested at position 64");
});

Deno.test("a safetensors header of nothing but brackets is refused in little memory", () => {
  const text = '{"a":' + "[".repeat(20e6);
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  new TextEncoder().encodeInto(text, bytes.subarray(8));
  const before = Deno.memoryUsage().rss;
  const refused = assertThrows(() => parseSafetensors(bytes, "deep"), SchemoeError);
  assert(refused.message.includes("more than 64 values are nested at position 68"));
  assert(Deno.memoryUsage().rss - before < 300e6); // 1.1 GB without the limit
});
