/** Where a part of a slice lies. @module */

/** Parts begin at multiples of it. */
const PART_ALIGNMENT = 16;

/** Where the part of a slice that a step moves begins, and its bytes; both sides cut alike. */
export function cut(
  { part }: { readonly part?: readonly [number, number] },
  sliceBytes: number,
  parts: number,
): { begin: number; bytes: number } {
  if (!part) return { begin: 0, bytes: sliceBytes };
  const at = (number: number) =>
    number === parts
      ? sliceBytes
      : Math.floor(sliceBytes * number / parts / PART_ALIGNMENT) * PART_ALIGNMENT;
  const begin = at(part[0]);
  return { begin, bytes: at(part[1]) - begin };
}
