import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openEngine } from "../../mod.ts";
import { atSpeed, calibrate } from "../../lib/adaptive/mod.ts";
import { parseProfile } from "../../lib/profile/mod.ts";

Deno.test("a profile prints a few lines wherever it comes from, and stays plain data", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const made = await calibrate(engine, { codecs: ["int8"], seconds: 1 });
  const json = JSON.stringify(made);
  for (const profile of [made, parseProfile(json), atSpeed(made, 0.5)]) {
    const text = Deno.inspect(profile);
    assertEquals(`${profile}`, text);
    assert(text.length < 1000 && text.split("\n").length < 8, text);
    for (const part of ["profile of simulate", "2 x 2 ranks", "kinds of work: ", "links: inside"]) {
      assertStringIncludes(text, part);
    }
    assertEquals(Object.getOwnPropertySymbols({ ...profile }), []);
  }
  assertEquals(JSON.stringify(parseProfile(json)), json);
});
