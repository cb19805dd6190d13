/** What ends a pass, a training or a search early. @module */
import { quoted } from "../words.ts";

/** @throws by `fail` for a signal that is none. */
export function checkSignal(signal: unknown, fail: (problem: string) => never): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  fail(`signal must be an AbortSignal, got ${quoted(signal)}`);
}
