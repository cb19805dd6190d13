/**
 * Pieces of error messages: values as they were written, and the name that was probably meant.
 * @module
 */

/** Characters of an object, and items of a list, that a message shows. */
const LONGEST = 200;
const MOST_ITEMS = 8;

/** A value as it stands in code: text in quotes, so that `"4"` is told from `4`; long ones are cut. */
export function quoted(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return listed(value);
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${lengthOf(value)}`;
  if (value instanceof Promise) return "a Promise";
  if (Object(value) !== value) return String(value);
  const { constructor } = value as object;
  return constructor === undefined || constructor === Object
    ? cut(written(value))
    : `a ${constructor.name}`;
}

/** The end of a message about a value that is a promise: what is missing before it. */
export const unawaited = (value: unknown): string =>
  value instanceof Promise ? '; it is a Promise, write "await" before it' : "";

function listed(list: readonly unknown[]): string {
  const shown = list.slice(0, MOST_ITEMS).map(quoted);
  const more = list.length > MOST_ITEMS ? [`... ${list.length} in all`] : [];
  return `[${[...shown, ...more].join(", ")}]`;
}

const lengthOf = (view: ArrayBufferView): number =>
  view instanceof DataView ? view.byteLength : (view as Uint8Array).length;

/** An object as JSON, where it can be written so. */
function written(value: unknown): string {
  try {
    const short = (_: string, part: unknown) => ArrayBuffer.isView(part) ? quoted(part) : part;
    return JSON.stringify(value, short);
  } catch {
    // it holds itself, or a BigInt
    return "an object";
  }
}

const cut = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;

/** Other words of the field for names here. */
const SYNONYMS: Readonly<Record<string, string>> = {
  codec: "compressor",
  a2a: "allToAll",
  flops: "flopRate",
  bandwidth: "byteRate",
  timeout: "timeLimit",
  file: "path",
  lr: "rate",
  learningRate: "rate",
};

/** What is given somewhere else, and where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  rate: "; the learning rate is the option rate of createModel",
  lr: "; the learning rate is the option rate of createModel",
  learningRate: "; the learning rate is the option rate of createModel",
};

/** Fields of an object that is itself a field, by their names. */
const INSIDE: Readonly<Record<string, string>> = {
  heads: "attention",
  keyValueHeads: "attention",
  headDim: "attention",
  seconds: "budget",
  runs: "budget",
};

/** `; did you mean "optSche"?` where one of the names is near to a word, or where it belongs; "" where neither is known. */
export function didYouMean(word: unknown, names: Iterable<string>): string {
  if (typeof word !== "string" || word === "") return "";
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const given = plain(word);
  const known = [...names];
  const meant = SYNONYMS[word];
  if (meant !== undefined && known.includes(meant)) return `; did you mean "${meant}"?`;
  const around = INSIDE[word];
  if (around !== undefined && known.includes(around)) {
    return `; did you mean ${around}: { ${word} }?`;
  }
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const wanted = plain(name);
    const inside = given.length > 3 && wanted.length > 3 &&
      (wanted.includes(given) || given.includes(wanted));
    const distance = inside
      ? Math.min(1, Math.abs(wanted.length - given.length))
      : changes(given, wanted);
    if (distance <= Math.max(1, Math.floor(wanted.length / 3)) && !(distance >= best?.distance!)) {
      best = { name, distance };
    }
  }
  return best ? `; did you mean "${best.name}"?` : ELSEWHERE[word] ?? "";
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
