/** Kinds made of kinds: lists, records, options. @module */
import { didYouMean, quoted } from "../words.ts";
import { faultOf, isObject, type Kind } from "./kind.ts";

/** Kinds of the fields of an object. */
export type Fields = Readonly<Record<string, Kind>>;

/** What may be left out; null is not left out. */
export const maybe = (kind: Kind): Kind => ({
  what: kind.what,
  accepts: (value) => value === undefined || kind.accepts(value),
  fault: kind.fault,
});

/** Either of two kinds. */
export const either = (one: Kind, other: Kind): Kind => ({
  what: `${one.what}, or ${other.what}`,
  accepts: (value) => one.accepts(value) || other.accepts(value),
});

/** A list whose items are all of a kind; a fault names its place. */
export const listOf = (item: Kind, what: string): Kind => ({
  what: `a list of ${what}`,
  accepts: (value) => Array.isArray(value) && firstOdd(item, value) < 0,
  fault(name, value) {
    if (!Array.isArray(value)) return undefined;
    const odd = firstOdd(item, value);
    return faultOf(item, `${name}[${odd}]`, value[odd]);
  },
});

/** As {@linkcode listOf}, with at least one item. */
export function someOf(item: Kind, what: string): Kind {
  const list = listOf(item, what);
  return {
    what: `${list.what}, at least one`,
    accepts: (value) => list.accepts(value) && (value as readonly unknown[]).length > 0,
    fault: (name, value) => list.accepts(value) ? undefined : list.fault!(name, value),
  };
}

/** An array of numbers, or a typed one. */
export const numbersOf = (item: Kind): Kind => ({
  what: "an array of numbers",
  accepts: (value) => isArrayLike(value) && everyIs(value, item),
  fault(name, value) {
    if (!isArrayLike(value)) return undefined;
    const odd = Array.prototype.findIndex.call(value, (one: unknown) => !item.accepts(one));
    return faultOf(item, `${name}[${odd}]`, value[odd]);
  },
});

/** An object with certain fields, and perhaps more; a fault names the first field that is wrong. */
export function record(what: string, fields: Fields): Kind {
  const entries = Object.entries(fields);
  return {
    what,
    accepts: (value) =>
      isObject(value) && entries.every(([field, kind]) => kind.accepts(value[field])),
    fault(name, value) {
      if (!isObject(value)) return undefined;
      // nothing of it is there: it is something else
      if (entries.every(([field]) => value[field] === undefined)) return undefined;
      const [field, kind] = entries.find(([field, kind]) => !kind.accepts(value[field]))!;
      return faultOf(kind, `${name}.${field}`, value[field]) +
        `; ${name} must be ${what}`;
    },
  };
}

/**
 * Options by their names: an object with no others.
 * @param of what the names are; default "an option".
 */
export function options(fields: Fields, of = "an option"): Kind {
  const names = Object.keys(fields);
  const entries = Object.entries(fields);
  return {
    what: `an object { ${names.join(", ")} }`,
    accepts: (value) =>
      isObject(value) && unknownName(value, names) === undefined &&
      entries.every(([name, kind]) => kind.accepts(value[name])),
    fault(name, value) {
      // what is wrong with a field that must be given tells what to give instead of nothing
      if (!isObject(value)) return undefined;
      const unknown = unknownName(value, names, of);
      if (unknown !== undefined) return unknown;
      const [field, kind] = entries.find(([field, kind]) => !kind.accepts(value[field]))!;
      return faultOf(kind, `${name}.${field}`, value[field]);
    },
  };
}

/** `"chunk" is not an option (chunks, repeats); did you mean "chunks"?`, undefined where all names are known. */
export function unknownName(
  value: object,
  known: readonly string[],
  of = "an option",
): string | undefined {
  const foreign = Object.keys(value).find((name) => !known.includes(name));
  if (foreign === undefined) return undefined;
  const names = known.length === 0 ? "there is none" : known.join(", ");
  return `${quoted(foreign)} is not ${of} (${names})${didYouMean(foreign, known)}`;
}

const firstOdd = (item: Kind, list: readonly unknown[]): number =>
  // holes are items too
  list.findIndex((value) => !item.accepts(value));

type Numbers = ArrayLike<number>;
const isArrayLike = (value: unknown): value is Numbers =>
  Array.isArray(value) || ArrayBuffer.isView(value) && !(value instanceof DataView);

function everyIs(list: Numbers, item: Kind): boolean {
  for (let i = 0; i < list.length; i++) if (!item.accepts(list[i])) return false;
  return true;
}
