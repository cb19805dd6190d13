/** The check at the door of a function. @module */
import { SchemoeError } from "../types.ts";
import { faultOf, type Kind } from "./kind.ts";

/**
 * Checks one argument of a function that users call. Notebooks do not check types, so what was forgotten,
 * misspelt or of another kind must not get further than this.
 *
 * ```ts ignore
 * expect("gantt", "run", run, aRun);
 * ```
 * @throws {SchemoeError} `Cannot call gantt: run must be a run, such as await layer.forward(), got null`.
 */
export function expect(caller: string, name: string, value: unknown, kind: Kind): void {
  if (kind.accepts(value)) return;
  throw new SchemoeError(`Cannot call ${caller}: ${faultOf(kind, name, value)}`);
}
