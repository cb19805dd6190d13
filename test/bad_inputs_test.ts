/** Bad inputs across the public API: each gets an error that says what, where and what to do. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SchemoeError } from "../mod.ts";
import type { BadInput, BadInputs } from "./bad_inputs/bad_input.ts";
import { choices } from "./bad_inputs/choices.ts";
import { files } from "./bad_inputs/files.ts";
import { ownCode } from "./bad_inputs/own_code.ts";
import { questions } from "./bad_inputs/questions.ts";
import { setup } from "./bad_inputs/setup.ts";

const tables: Readonly<Record<string, BadInputs>> = {
  "worlds, engines, layers": setup,
  "choices and tensors": choices,
  "code of one's own": ownCode,
  "files and timelines": files,
  questions,
};

async function errorOf({ call }: BadInput): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

for (const [name, table] of Object.entries(tables)) {
  Deno.test(`bad inputs get an error naming what, where and what to do: ${name}`, async (t) => {
    for (const [what, bad] of Object.entries(table)) {
      await t.step(what, async () => {
        const error = await errorOf(bad);
        assert(error instanceof SchemoeError, `got ${error}`);
        const { message } = error;
        assert(
          /^(Cannot|Unknown) [^:]+: .*[^.]$/s.test(message),
          `not of the form of errors: ${message}`,
        );
        if (typeof bad.says === "string") return assertEquals(message, bad.says);
        let from = 0;
        for (const piece of bad.says) {
          assertStringIncludes(message.slice(from), piece, message);
          from = message.indexOf(piece, from) + piece.length;
        }
      });
    }
  });
}

Deno.test("there are at least fifty bad inputs in the tables", () => {
  const count = Object.values(tables).reduce((sum, table) => sum + Object.keys(table).length, 0);
  assert(count >= 50, `${count}`);
});
