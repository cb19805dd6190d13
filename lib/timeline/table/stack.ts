/** @module */
import { SchemoeError } from "../../types.ts";

/**
 * Several SVGs below each other in one.
 *
 * @throws {SchemoeError} when one does not state its width and height.
 */
export function stack(svgs: readonly string[]): string {
  let y = 0, width = 0;
  const parts = svgs.map((svg, i) => {
    const open = svg.slice(0, svg.indexOf(">") + 1);
    const size = (name: string) =>
      Number(open.match(new RegExp(` ${name}="([\\d.]+)"`))?.[1] ?? NaN);
    if (!(size("width") > 0 && size("height") > 0)) {
      throw new SchemoeError(
        `Cannot put the pictures together: number ${i} has no width or height`,
      );
    }
    const placed = svg.replace("<svg ", `<svg y="${y}" `);
    y += size("height") + 6;
    width = Math.max(width, size("width"));
    return placed;
  });
  const height = Math.max(0, y - 6);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" style="max-width:100%;height:auto">${parts.join("")}</svg>`;
}
