/**
 * The names of `@std/assert` over `node:assert/strict`, with the same argument order and results.
 * With JSR at hand, one line of `deno.json` replaces this file.
 * @module
 */
import strict from "node:assert/strict";
import { inspect } from "node:util";

/** What every assertion throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error = Error> = abstract new (...args: any[]) => E;

function raise(what: string, message?: string): never {
  throw new AssertionError(message === undefined ? what : `${what}: ${message}`);
}

/** Runs an assertion of Node and turns its error into an `AssertionError` with its diff. */
function check(run: () => void, message?: string): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof strict.AssertionError)) throw error;
    raise(error.message, message);
  }
}

/** Fails. */
export function fail(message?: string): never {
  raise("Failed assertion", message);
}

/** Fails: this line must not be reached. */
export function unreachable(reason?: string): never {
  raise("Unreachable", reason);
}

/** `value` is truthy. */
export function assert(value: unknown, message = ""): asserts value {
  if (!value) throw new AssertionError(message);
}

/** Both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  check(() => strict.deepStrictEqual(actual, expected), message);
}

/** Both are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  check(() => strict.notDeepStrictEqual(actual, expected), message);
}

/** Both are the same value by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T {
  check(() => strict.strictEqual(actual, expected), message);
}

/** Numbers differ by at most `tolerance`; default 1e-7 of the larger of `expected` and 1e-7. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(actual - expected) <= allowed) return;
  raise(`Expected ${actual} to be within ${allowed} of ${expected}`, message);
}

/** `error` is an instance of `errorClass` whose message includes `includes`. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  includes?: string | RegExp,
  message?: string,
): asserts error is E {
  if (!(error instanceof Error)) raise(`Expected an Error, got ${inspect(error)}`, message);
  if (errorClass && !(error instanceof errorClass)) {
    raise(`Expected ${errorClass.name}, got ${error.name}: ${error.message}`, message);
  }
  const found = includes === undefined ||
    (includes instanceof RegExp ? includes.test(error.message) : error.message.includes(includes));
  if (!found) {
    raise(`Expected a message with ${inspect(includes)}, got "${error.message}"`, message);
  }
}

/** `run` throws; returns what it threw. */
export function assertThrows(run: () => unknown, message?: string): unknown;
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass: ErrorClass<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows(
  run: () => unknown,
  classOrMessage?: ErrorClass | string,
  includes?: string,
  message?: string,
): unknown {
  const text = typeof classOrMessage === "string" ? classOrMessage : message;
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
    if (typeof classOrMessage === "function") assertIsError(error, classOrMessage, includes, text);
    return error;
  }
  raise("Expected function to throw", text);
}

/** `run` gives a promise that rejects; resolves to what it rejected with. */
export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export async function assertRejects(
  run: () => PromiseLike<unknown>,
  classOrMessage?: ErrorClass | string,
  includes?: string,
  message?: string,
): Promise<unknown> {
  const text = typeof classOrMessage === "string" ? classOrMessage : message;
  let promise: PromiseLike<unknown>;
  try {
    promise = run();
  } catch (error) {
    raise(`Expected a rejected promise, but the function threw ${inspect(error)}`, text);
  }
  try {
    await promise;
  } catch (error) {
    if (typeof classOrMessage === "function") assertIsError(error, classOrMessage, includes, text);
    return error;
  }
  raise("Expected function to reject", text);
}

/** `actual` includes `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (!actual.includes(expected)) {
    raise(`Expected ${inspect(actual)} to include ${inspect(expected)}`, message);
  }
}

/** `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (!expected.test(actual)) raise(`Expected ${inspect(actual)} to match ${expected}`, message);
}

/** `actual` does not match `expected`. */
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void {
  if (expected.test(actual)) raise(`Expected ${inspect(actual)} not to match ${expected}`, message);
}

/** `actual` is neither null nor undefined. */
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T> {
  if (actual == null) raise(`Expected a value, got ${actual}`, message);
}

/** `actual` is falsy. */
export function assertFalse(actual: unknown, message?: string): void {
  if (actual) raise(`Expected a falsy value, got ${inspect(actual)}`, message);
}

/** `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  if (!(actual > expected)) raise(`Expected ${inspect(actual)} > ${inspect(expected)}`, message);
}

/** `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (!(actual >= expected)) raise(`Expected ${inspect(actual)} >= ${inspect(expected)}`, message);
}

/** `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  if (!(actual < expected)) raise(`Expected ${inspect(actual)} < ${inspect(expected)}`, message);
}

/** `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (!(actual <= expected)) raise(`Expected ${inspect(actual)} <= ${inspect(expected)}`, message);
}

/** `actual` is an instance of `expected`. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any
  expected: abstract new (...args: any[]) => T,
  message?: string,
): asserts actual is T {
  if (!(actual instanceof expected)) {
    raise(`Expected an instance of ${expected.name}, got ${inspect(actual)}`, message);
  }
}

/** Each of `expected` is deeply equal to some element of `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  message?: string,
): void {
  const missing = Array.from(expected).filter((wanted) =>
    !Array.from(actual).some((value) => equal(value, wanted))
  );
  if (missing.length > 0) {
    raise(`Expected ${inspect(actual)} to include ${inspect(missing)}`, message);
  }
}

/** Whether two values are deeply equal. */
export function equal(a: unknown, b: unknown): boolean {
  try {
    strict.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
