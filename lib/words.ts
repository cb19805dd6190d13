/**
 * Pieces of error messages: values as they were written, and the name that was probably meant.
 * @module
 */

/** A value as it stands in code: text in quotes, so that `"4"` is told from `4`. */
export function quoted(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `[${value.map(quoted).join(", ")}]`;
  if (value instanceof Promise) return "a Promise";
  if (value?.constructor === Object) return JSON.stringify(value) ?? "an object";
  return String(value);
}

/** `; did you mean "optSche"?` where one of the names is near to a word, "" where none is. */
export function didYouMean(word: unknown, names: Iterable<string>): string {
  if (typeof word !== "string" || word === "") return "";
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const given = plain(word);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of names) {
    const known = plain(name);
    const inside = given.length > 3 && known.length > 3 &&
      (known.includes(given) || given.includes(known));
    const distance = inside
      ? Math.min(1, Math.abs(known.length - given.length))
      : changes(given, known);
    if (distance <= Math.max(1, Math.floor(known.length / 3)) && !(distance >= best?.distance!)) {
      best = { name, distance };
    }
  }
  return best ? `; did you mean "${best.name}"?` : "";
}

/** Letters to insert, remove, replace or swap with their neighbour to make one word of another. */
function changes(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      next[j] = Math.min(last[j] + 1, next[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        next[j] = Math.min(next[j], before[j - 2] + 1);
      }
    }
    [before, last] = [last, next];
  }
  return last[b.length];
}
