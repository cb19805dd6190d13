/**
 * Fields of events as writers give them: numbers as text, text as numbers, null, nested values.
 * @module
 */

const DECIMAL = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i;

/** A finite number, or a decimal one as text; else NaN. */
export function numberOf(value: unknown): number {
  const number = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : NaN;
}

/** A positive number, or 0 for anything else. */
export function positiveOf(value: unknown): number {
  const number = numberOf(value);
  return number > 0 ? number : 0;
}

/** Text, or what a number, a truth value or a nested value is as text; "" for none. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? shown(value) : String(value);
}

/** Identity of a process or thread: 0, "0", 0.0 and "00" are one, by their value as a double; none is 0. */
export function idOf(value: unknown): string {
  if (value === undefined || value === null) return "0";
  const text = textOf(value).trim();
  const number = numberOf(text);
  return Number.isNaN(number) ? text : String(number + 0);
}

/** An object of fields; none for anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const plain = typeof value === "object" && value !== null && !Array.isArray(value);
  return plain ? value as Record<string, unknown> : {};
}

/** A value as it is shown in an error: cut, and never the cause of another error. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = "a nested value"; // too deep for the stack
  }
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
