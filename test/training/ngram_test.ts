import { assertLess, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { ngramLoss, textData } from "../../lib/training/mod.ts";

const near = (got: number, expected: number) =>
  assertLess(Math.abs(got - expected), 1e-12, `${got}`);

Deno.test("ngramLoss() is Witten and Bell's, written out for a small text", () => {
  // trained on "aabab", scored on "ba": of 2 kinds a comes 3 times, b twice; after a: a once, b twice; after b: a once
  const data = textData("aababba", { validation: 2 / 7 });
  const a = (3 + 2 / 2) / (5 + 2), b = (2 + 2 / 2) / (5 + 2);
  near(ngramLoss(data, { order: 1 }), -(Math.log(b) + Math.log(a)) / 2);
  const aAfterB = (1 + 1 * a) / (1 + 1);
  near(ngramLoss(data, { order: 2 }), -Math.log(aAfterB));
});

Deno.test("ngramLoss() falls back where a context was never seen", () => {
  // "c" is only in the validation part
  const data = textData("ababab" + "aca", { validation: 1 / 3 });
  const a = (3 + 2 / 3) / (6 + 2);
  // of "ac", "ca": b alone was seen after a; nothing after c
  const c = (0 + 2 / 3) / (6 + 2), cAfterA = (0 + 1 * c) / (3 + 1);
  near(ngramLoss(data, { order: 2 }), -(Math.log(cAfterA) + Math.log(a)) / 2);
});

Deno.test("ngramLoss() refuses other orders and too short a text", () => {
  const data = textData("abc".repeat(10), { validation: 0.1 });
  const refused = (order: number, text: string) =>
    assertThrows(() => ngramLoss(data, { order }), SchemoeError, text);
  refused(0, "order must be an integer from 1 to 5, got 0");
  refused(6, "got 6");
  refused(4, "3 tokens for validation are fewer than 4");
  const many = Array.from({ length: 2000 }, (_, i) => String.fromCharCode(0x4e00 + i)).join("");
  assertThrows(
    () => ngramLoss(textData(many), { order: 5 }),
    SchemoeError,
    "2000 different tokens have too many patterns of 5",
  );
});
