/** Checks of what tuning may choose from, before anything runs. @module */
import { quoted } from "../../words.ts";
import { resolveChoices } from "../resolve_choices.ts";
import { type Grid, nameOf } from "./grid.ts";

const LISTS = ["schedulers", "allToAlls", "compressors", "chunks"] as const;

/**
 * Looks up every value of a grid.
 * @param fail is told what is wrong; the names of lists are those of a grid unless `names` has others.
 * @throws {SchemoeError} for an unknown name, or a value without the functions it needs.
 */
export function checkGrid(
  grid: Grid,
  fail: (problem: string) => never,
  names: Partial<Record<typeof LISTS[number], string>> = {},
): void {
  for (const list of LISTS) {
    const values: unknown = grid[list];
    if (values === undefined) continue;
    const name = names[list] ?? list;
    if (!Array.isArray(values)) fail(`${name} is ${quoted(values)}, not a list`);
    if (values.length === 0) fail(`${name} is an empty list, of which nothing can be chosen`);
  }
  const { schedulers = [], allToAlls = [], compressors = [], chunks = [] } = grid;
  const wrong = chunks.find((count: unknown) =>
    !(Number.isSafeInteger(count) && Number(count) > 0)
  );
  if (wrong !== undefined || chunks.includes(wrong as never)) {
    fail(`chunks has ${quoted(wrong)}, not an integer from 1 on`);
  }
  if (schedulers.includes("auto")) fail('a scheduler among which is chosen cannot be "auto"');
  tellApart(
    "schedulers",
    schedulers.map((scheduler) => [resolveChoices({ scheduler }, []).scheduler]),
    fail,
  );
  tellApart(
    "all-to-alls",
    allToAlls.map((allToAll) => [resolveChoices({ allToAll }, []).allToAll]),
    fail,
  );
  const codecs = compressors.map((compressor) => resolveChoices({ compressor }, []).compressor);
  tellApart("codecs", codecs.map(({ dispatch, combine }) => [dispatch, combine]), fail);
}

/** Names tell candidates apart, so that different values need different ones. */
function tellApart(
  what: string,
  values: readonly (readonly object[])[],
  fail: (problem: string) => never,
): void {
  const known = new Map<string, object>();
  for (const value of values.flat()) {
    const name = nameOf(value);
    if ((known.get(name) ?? value) !== value) {
      fail(`two ${what} are called ${quoted(name)}, and names tell candidates apart`);
    }
    known.set(name, value);
  }
}
