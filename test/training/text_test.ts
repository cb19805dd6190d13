import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { randomTokens, textData, textFile } from "../../lib/training/mod.ts";

Deno.test("textData() makes tokens of characters in code point order", () => {
  const data = textData("b\u{1F600}a\uFFFDb£", { validation: 0 });
  assertEquals(data.characters, ["a", "b", "£", "\uFFFD", "\u{1F600}"]);
  assertEquals([...data.tokens], [1, 4, 0, 3, 1, 2]);
  assertEquals(data.decode(data.encode("£\u{1F600}")), "£\u{1F600}");
  const text = 'Cannot make tokens: "c" at character 1 is none of the data\'s';
  assertThrows(() => data.encode("ac"), SchemoeError, text);
});

Deno.test("textData() makes tokens of bytes", () => {
  const data = textData("£1", { tokens: "bytes", validation: 0 });
  assertEquals(data.vocabulary, 256);
  assertEquals([...data.tokens], [0xc2, 0xa3, 0x31]);
  assertEquals(data.decode(data.tokens), "£1");
});

Deno.test("textData() takes more than 256 different characters", () => {
  const text = Array.from({ length: 300 }, (_, i) => String.fromCharCode(0x4e00 + i)).join("");
  const data = textData(text, { validation: 0 });
  assertEquals([...data.tokens], Array.from({ length: 300 }, (_, i) => i));
});

Deno.test("textData() draws windows by seed and step from the training part alone", () => {
  const text = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(0x4e00 + i)).join("");
  const data = textData(text, { validation: 0.1, seed: 3 });
  assertEquals(data.trained, 900);
  const at = { step: 7, sequences: 500, context: 4 };
  const batch = data.batch(at);
  assertEquals(batch.length, 2500);
  assertEquals(batch, data.batch(at));
  assertNotEquals(batch, data.batch({ ...at, step: 8 }));
  assertNotEquals(batch, textData(text, { validation: 0.1, seed: 4 }).batch(at));
  // sequences do not depend on how many there are
  assertEquals(batch.slice(0, 50), data.batch({ ...at, sequences: 10 }));
  for (let i = 0; i < 500; i++) {
    const window = batch.subarray(5 * i, 5 * i + 5);
    assert(window.every((token, j) => token === window[0] + j) && window[4] < 900, `${window}`);
  }
  const firsts = new Set(Array.from({ length: 500 }, (_, i) => batch[5 * i]));
  assert(firsts.size > 300, `${firsts.size} different windows`);
  const validation = data.validation({ sequences: 12, context: 4 });
  assert(validation.every((token) => token >= 900) && validation.at(-1)! >= 998);
  assertEquals(validation, data.validation({ sequences: 12, context: 4 }));
});

Deno.test("textData() names what is wrong", () => {
  const refused = (text: string | Uint8Array, options: object, says: string) =>
    assertThrows(() => textData(text, options), SchemoeError, says);
  refused("", {}, "it is empty");
  refused("a", { token: "bytes" }, 'did you mean "tokens"');
  refused("a", { tokens: "words" }, 'tokens must be "characters" or "bytes", got "words"');
  refused("a", { validation: 1 }, "validation must be at least 0 and below 1");
  refused(new Uint8Array([0xff]), {}, 'its bytes are no UTF-8; take tokens: "bytes"');
  const short = textData("abc".repeat(10));
  const at = { step: 0, sequences: 1, context: 40 };
  assertThrows(() => short.batch(at), SchemoeError, "have no window of 41");
  assertThrows(() => short.validation(at), SchemoeError, "for validation have no window of 41");
});

Deno.test("textFile() reads a file and names one that cannot be read", async () => {
  const path = await Deno.makeTempFile({ suffix: ".txt" });
  await Deno.writeTextFile(path, "abcabc");
  const data = await textFile(path, { validation: 0 });
  assertEquals(data.vocabulary, 3);
  assert(path.endsWith(data.name) && !data.name.includes("/"));
  await Deno.remove(path);
  await assertRejects(() => textFile(path), SchemoeError, `Cannot read ${path}`);
});

Deno.test("randomTokens() are uniform, by seed and step", () => {
  const data = randomTokens({ vocabulary: 5, seed: 2 });
  const batch = data.batch({ step: 0, sequences: 100, context: 99 });
  const counts = [0, 0, 0, 0, 0];
  for (const token of batch) counts[token]++;
  assert(counts.every((count) => Math.abs(count - 2000) < 200), `${counts}`);
  assertNotEquals(batch, data.batch({ step: 1, sequences: 100, context: 99 }));
  assertThrows(() => randomTokens({ vocabulary: 0 }), SchemoeError, "positive integer, got 0");
});

Deno.test("textData() takes a long text without a list of its characters", async () => {
  const module = new URL("../../lib/training/mod.ts", import.meta.url);
  const script = `import { textData } from ${JSON.stringify(module.href)};
    console.log(textData("0123456789".repeat(2e6)).tokens.length);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-check", "--v8-flags=--max-old-space-size=100", script],
    cwd: new URL("../..", import.meta.url),
    stderr: "null",
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout).trim()], [0, "20000000"]);
});

Deno.test("textData() and randomTokens() say what is no text and no seed", () => {
  const long = new Uint8Array(2 ** 29);
  const says = (make: () => unknown, message: string) => assertThrows(make, SchemoeError, message);
  says(() => textData(long), "536870912 bytes may be more characters than a string holds");
  assertEquals(textData(long, { tokens: "bytes" }).tokens.length, 2 ** 29);
  says(
    () => textData(null as unknown as string),
    "give a string, or a Uint8Array of UTF-8, got null",
  );
  says(() => textData(5 as unknown as string), "give a string, or a Uint8Array of UTF-8, got 5");
  says(() => textData("abc", { seed: NaN }), "seed must be an integer, got NaN");
  says(
    () => textData("abc", { seed: "1" as unknown as number }),
    'seed must be an integer, got "1"',
  );
  says(() => randomTokens({ vocabulary: 2, seed: 0.5 }), "seed must be an integer, got 0.5");
});
