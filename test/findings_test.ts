/** The table of findings names what exists: files, and tests by a text in them. */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const table = await Deno.readTextFile(new URL("FINDINGS.md", import.meta.url));
const rows = table.split("\n").filter((line) => /^\| [A-Z]\d+ +\|/.test(line))
  .map((line) => line.slice(2, -2).split(" | ").map((cell) => cell.trim()));

Deno.test("every finding has a number, a kind, a place and a test", () => {
  assertEquals(
    rows.filter((row) => row.length !== 4 || row.some((cell) => cell === "")),
    [],
  );
  const numbers = rows.map(([number]) => number);
  assertEquals(new Set(numbers).size, numbers.length);
  // none is lost: those of a kind are numbered from 1 on, in order
  for (const [letter, of] of Map.groupBy(numbers, (number) => number[0])) {
    assertEquals(of, of.map((_, i) => `${letter}${i + 1}`));
  }
});

Deno.test("files and tests that the findings name exist", async () => {
  const lost: string[] = [];
  for (const [number, , places, tests] of rows) {
    for (const [, path] of places.matchAll(/`([^`]+)`/g)) {
      await Deno.stat(new URL(path, ROOT)).catch(() => lost.push(`${number}: ${path}`));
    }
    const named = [...tests.matchAll(/`([^`]+)` "([^"]+)"/g)];
    assert(named.length > 0, `${number} names no test`);
    for (const [, path, text] of named) {
      const source = await Deno.readTextFile(new URL(path, ROOT)).catch(() => "");
      // names of tests may be broken over lines or be put together
      const flat = source.replaceAll(/\s+/g, " ").replaceAll(/ \/\/\/? /g, " ");
      if (!flat.includes(text)) lost.push(`${number}: ${path} "${text}"`);
    }
  }
  assertEquals(lost, []);
});
