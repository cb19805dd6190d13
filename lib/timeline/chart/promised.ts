/** Promises that say "await" where they are taken for what they promise. @module */
import { SchemoeError } from "../../types.ts";
import { displayable, type MediaBundle } from "./display.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** What is promised. */
export interface Promised {
  /** Its class, whose accessors and methods are known. */
  readonly of: { readonly prototype: object };
  /** Its own fields. */
  readonly fields: readonly string[];
  /** What errors call it. */
  readonly what: string;
  /** How it is made, for advice. */
  readonly call: string;
}

/**
 * Marks promises of one kind: a field or method of what is promised, asked of the promise itself, is an error that says
 * what to write, instead of `undefined`; a notebook or a terminal shows as much instead of `Promise { <pending> }`. Where a
 * notebook has shown one, it also says that its work failed, which nothing else would.
 */
export function promised(
  { of, fields, what, call }: Promised,
): <T>(promise: Promise<T>) => Promise<T> {
  const advice = `write "await" before the ${what}`;
  const text = `A Promise; ${advice}: ${call}\n` +
    "What it began goes on; await engine.idle() waits for it";
  const prototype: object = Object.create(Promise.prototype, {
    toString: { value: () => text },
    [Symbol.for("Deno.customInspect")]: { value: () => text },
    [DISPLAY]: {
      value(this: Promise<unknown>): Promise<MediaBundle> {
        this.catch((error) => console.error(`The ${what} that was not awaited failed: ${error}`));
        return displayable({ text })[DISPLAY]();
      },
    },
  });
  for (const name of new Set([...fields, ...namesOf(of.prototype)])) {
    if (name in prototype) continue;
    const get = () => {
      throw new SchemoeError(`Cannot read "${name}": got a Promise; ${advice}`);
    };
    Object.defineProperty(prototype, name, { get });
  }
  return (promise) => Object.setPrototypeOf(promise, prototype);
}

/** Names of accessors and methods, those of what a class extends included. */
function namesOf(prototype: object): string[] {
  if (prototype === Object.prototype) return [];
  return [...Object.getOwnPropertyNames(prototype), ...namesOf(Object.getPrototypeOf(prototype))];
}
