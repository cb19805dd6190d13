/** Output of the tool of `native/test/nvtx_injection.cpp`. @module */
import { SchemoeError } from "../../mod.ts";

/** A range that was begun. */
export interface RecordedRange {
  readonly name: string;
  /** Name of its category; "" without one. */
  readonly category: string;
  /** undefined for a range without payload. */
  readonly rank?: number;
  /** Ranges around it on its thread. */
  readonly depth: number;
}

/** Ranges in the order of their beginnings. @throws {SchemoeError} unless all of them have ended. */
export function readRecord(text: string): RecordedRange[] {
  const ranges: RecordedRange[] = [];
  const categories = new Map<string, string>();
  const depths = new Map<string, number>();
  for (const line of text.split("\n").slice(0, -1)) {
    const [kind, first, ...more] = line.split(" ");
    const depth = depths.get(first) ?? 0;
    if (kind === "category") categories.set(first, more.join(" "));
    else if (kind === "pop") depths.set(first, depth - 1);
    else {
      const [category, rank, ...words] = more;
      ranges.push({
        name: words.join(" "),
        category: categories.get(category) ?? "",
        depth,
        ...(rank === "-" ? {} : { rank: Number(rank) }),
      });
      depths.set(first, depth + 1);
    }
    if ((depths.get(first) ?? 0) < 0) throw new SchemoeError(`A pop without a push: ${line}`);
  }
  const open = [...depths].filter(([, depth]) => depth !== 0);
  if (open.length > 0) throw new SchemoeError(`Ranges have not ended, by thread: ${open}`);
  return ranges;
}
