/** How much can be simulated. @module */
import { SchemoeError } from "../../types.ts";

/** Operations, of which each takes about 250 bytes while it is simulated and looked at: 8 GB. */
const MOST_OPERATIONS = 1 << 25;

/**
 * Refuses what would not fit into memory, where the process would end and a notebook lose its kernel.
 * To be asked before a graph is priced, which takes as much.
 * @throws {SchemoeError} saying how many operations there are and what makes them fewer.
 */
export function checkSize(tasks: number, ranks: number): void {
  if (tasks * ranks <= MOST_OPERATIONS) return;
  const count = (value: number) => value.toLocaleString("en-US");
  throw new SchemoeError(
    `Cannot simulate: ${count(tasks)} tasks on ${count(ranks)} ranks are ${
      count(tasks * ranks)
    } operations, at most ${
      count(MOST_OPERATIONS)
    } fit; take fewer chunks, an all-to-all with fewer ` +
      "phases, or let one node stand for all (representatives: true)",
  );
}
