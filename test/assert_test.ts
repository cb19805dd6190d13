import * as a from "@std/assert";

/** Runs an assertion that must fail; gives its message. */
function failure(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof a.AssertionError) return error.message;
    throw error;
  }
  throw new Error("The assertion passed");
}

const passing: Record<string, () => void> = {
  "assert() takes truthy values": () => a.assert("x"),
  "assertFalse() takes falsy values": () => a.assertFalse(0),
  "assertEquals() compares deeply": () => a.assertEquals({ a: [1, NaN] }, { a: [1, NaN] }),
  "assertEquals() compares typed arrays": () =>
    a.assertEquals(new Float32Array([1, 2]), new Float32Array([1, 2])),
  "assertNotEquals() sees a difference": () => a.assertNotEquals([1], [2]),
  "assertStrictEquals() takes the same value": () => a.assertStrictEquals(1, 1),
  "assertAlmostEquals() takes the default tolerance": () => a.assertAlmostEquals(1, 1 + 1e-8),
  "assertAlmostEquals() takes a given tolerance": () => a.assertAlmostEquals(1, 1.4, 0.5),
  "assertStringIncludes() finds a part": () => a.assertStringIncludes("rank 2", "2"),
  "assertMatch() matches": () => a.assertMatch("rank 2", /rank \d/),
  "assertNotMatch() does not match": () => a.assertNotMatch("rank", /\d/),
  "assertExists() takes zero": () => a.assertExists(0),
  "assertGreater() compares": () => a.assertGreater(2, 1),
  "assertGreaterOrEqual() takes equals": () => a.assertGreaterOrEqual(2, 2),
  "assertLess() compares": () => a.assertLess(1, 2),
  "assertLessOrEqual() takes equals": () => a.assertLessOrEqual(2, 2),
  "assertInstanceOf() takes a subclass": () => a.assertInstanceOf(new TypeError(), Error),
  "assertArrayIncludes() finds deep values": () => a.assertArrayIncludes([[1], [2]], [[2]]),
};

const failing: Record<string, () => void> = {
  "assert() fails on zero": () => a.assert(0, "why"),
  "assertFalse() fails on one": () => a.assertFalse(1, "why"),
  "assertEquals() fails on a difference": () => a.assertEquals([1], [2], "why"),
  "assertEquals() fails on another class": () =>
    a.assertEquals<unknown>(new Float32Array(1), new Float64Array(1), "why"),
  "assertNotEquals() fails on equals": () => a.assertNotEquals([1], [1], "why"),
  "assertStrictEquals() fails on a copy": () => a.assertStrictEquals([1], [1], "why"),
  "assertAlmostEquals() fails beyond the tolerance": () => a.assertAlmostEquals(1, 1.6, 0.5, "why"),
  "assertAlmostEquals() fails on NaN": () => a.assertAlmostEquals(NaN, 1, 0.5, "why"),
  "assertStringIncludes() fails without the part": () => a.assertStringIncludes("a", "b", "why"),
  "assertMatch() fails without a match": () => a.assertMatch("a", /b/, "why"),
  "assertNotMatch() fails on a match": () => a.assertNotMatch("a", /a/, "why"),
  "assertExists() fails on null": () => a.assertExists(null, "why"),
  "assertGreater() fails on equals": () => a.assertGreater(1, 1, "why"),
  "assertGreaterOrEqual() fails on NaN": () => a.assertGreaterOrEqual(NaN, 1, "why"),
  "assertLess() fails on equals": () => a.assertLess(1, 1, "why"),
  "assertLessOrEqual() fails on more": () => a.assertLessOrEqual(2, 1, "why"),
  "assertInstanceOf() fails on another class": () =>
    a.assertInstanceOf(new Error(), TypeError, "why"),
  "assertArrayIncludes() fails on a missing value": () => a.assertArrayIncludes([1], [1, 2], "why"),
  "assertThrows() fails when nothing is thrown": () => a.assertThrows(() => 1, "why"),
  "assertThrows() fails on another class": () =>
    a.assertThrows(() => JSON.parse("{"), TypeError, "", "why"),
  "assertThrows() fails on another message": () =>
    a.assertThrows(() => JSON.parse("{"), SyntaxError, "rank 2", "why"),
  "fail() fails": () => a.fail("why"),
  "unreachable() fails": () => a.unreachable("why"),
};

for (const [name, run] of Object.entries(passing)) Deno.test(name, run);

for (const [name, run] of Object.entries(failing)) {
  Deno.test(`${name}, with the message given`, () => {
    if (!failure(run).includes("why")) throw new Error(`The message is lost: ${failure(run)}`);
  });
}

Deno.test("assertThrows() returns the error, of the class given", () => {
  const thrown = new RangeError("rank 2");
  const error: RangeError = a.assertThrows(
    () => {
      throw thrown;
    },
    RangeError,
    "rank 2",
  );
  a.assertStrictEquals(error, thrown);
});

Deno.test("assertRejects() resolves to the error, of the class given", async () => {
  const thrown = new RangeError("rank 2");
  const error: RangeError = await a.assertRejects(() => Promise.reject(thrown), RangeError, "2");
  a.assertStrictEquals(error, thrown);
});

for (
  const [name, run] of Object.entries<() => Promise<unknown>>({
    "resolves": () => Promise.resolve(1),
    "throws before its promise": () => {
      throw new Error("early");
    },
  })
) {
  Deno.test(`assertRejects() fails when the function ${name}`, async () => {
    const error = await a.assertRejects(() => a.assertRejects(run, "why"), a.AssertionError);
    a.assertStringIncludes(error.message, "why");
  });
}
