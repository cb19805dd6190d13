/** What an argument must be. @module */
import { quoted, unawaited } from "../words.ts";

/** A statement about values, in words and as a test. */
export interface Kind {
  /** Follows "must be": `a run, such as await layer.forward()`. */
  readonly what: string;
  accepts(value: unknown): boolean;
  /** What is wrong inside of a value that is not accepted, with the path to it; undefined where the whole is wrong. */
  fault?(name: string, value: unknown): string | undefined;
}

/** A kind of a test and its words. */
export const kind = (what: string, accepts: (value: unknown) => boolean): Kind => ({
  what,
  accepts,
});

/** What is wrong with a value that a kind does not accept: `options.rate must be a number, got "4"`. */
export const faultOf = ({ what, fault }: Kind, name: string, value: unknown): string =>
  fault?.(name, value) ?? `${name} must be ${what}, got ${quoted(value)}${unawaited(value)}`;

/** Whether a value has fields: an object that is no list, or a function. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  !(value instanceof Promise);

/** A kind whose things never change: what was accepted once is not looked at again. */
export function remembered(kind: Kind): Kind {
  const known = new WeakSet<object>();
  return {
    ...kind,
    accepts(value) {
      if (!isObject(value)) return false;
      if (known.has(value)) return true;
      if (!kind.accepts(value)) return false;
      known.add(value);
      return true;
    },
  };
}
