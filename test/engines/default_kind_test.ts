import { assertEquals, assertThrows } from "@std/assert";
import { defaultKind } from "../../lib/engines/default_kind.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("defaultKind() is cpu where the variable is not set", () => {
  assertEquals(defaultKind(""), "cpu");
});

Deno.test("defaultKind() is what the variable names", () => {
  assertEquals([defaultKind("cuda"), defaultKind("cpu")], ["cuda", "cpu"]);
});

for (const name of ["gpu", "CUDA", "simulate"]) {
  Deno.test(`defaultKind() refuses "${name}"`, () => {
    const says = `SCHEMOE_ENGINE is "${name}", it must be one of cpu, cuda`;
    assertThrows(() => defaultKind(name), SchemoeError, says);
  });
}
