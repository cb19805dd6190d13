/**
 * What functions take, checked at their door: `expect("gantt", "run", run, aRun)`. A kind says in words and as
 * a test what a value must be; options name all of their fields, so that a misspelt one is found.
 * @module
 */
export { expect } from "./expect.ts";
export { checkFields } from "./fields.ts";
export { faultOf, isObject, type Kind, kind, remembered } from "./kind.ts";
export {
  either,
  type Fields,
  listOf,
  maybe,
  numbersOf,
  options,
  record,
  someOf,
  unknownName,
} from "./made.ts";
export * from "./plain.ts";
export * from "./things.ts";
