/**
 * All-to-alls of a run: their phases on all ranks together.
 * @module
 */
import { groupBy, type Operation, type Operations } from "./operations.ts";

/** One all-to-all. */
export interface Exchange {
  readonly pass: string;
  /** Letter and chunk, `A1[0]`. */
  readonly name: string;
  readonly phases: readonly Operation[];
}

/** The all-to-alls of a run, in the order of the table. */
export function exchangesOf({ all }: Operations): Exchange[] {
  const seen = new Map<string, number>();
  const groups = groupBy(all.filter(({ kind }) => kind === "allToAll"), (operation) => {
    const { pass, label, name, chunk, rank } = operation;
    if (chunk !== null) return `${pass} ${label}[${chunk}]`;
    // outside chunks a trace repeats names: the k-th on each rank belong together
    const count = seen.get(`${rank} ${pass} ${name}`) ?? 0;
    seen.set(`${rank} ${pass} ${name}`, count + 1);
    return `${pass} ${name}${count > 0 ? ` #${count + 1}` : ""}`;
  });
  return [...groups].map(([key, phases]) => {
    const space = key.indexOf(" ");
    return { pass: key.slice(0, space), name: key.slice(space + 1), phases };
  });
}
