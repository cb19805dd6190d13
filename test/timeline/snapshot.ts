/**
 * Pictures that must come out the same.
 * @module
 */
import { AssertionError } from "@std/assert";

/**
 * Compares an SVG with `snapshots/NAME.svg`. When it differs, the new one is written beside it as
 * `NAME.new.svg`: look at both, and rename the new one if it is better.
 */
export async function assertSvg(name: string, svg: string): Promise<void> {
  const at = (suffix: string) => new URL(`./snapshots/${name}${suffix}`, import.meta.url);
  const old = await Deno.readTextFile(at(".svg")).catch(() => undefined);
  if (old === svg + "\n") {
    await Deno.remove(at(".new.svg")).catch(() => {});
    return;
  }
  await Deno.writeTextFile(at(".new.svg"), svg + "\n");
  throw new AssertionError(
    `Picture "${name}" ${old === undefined ? "has no snapshot" : "differs from its snapshot"}, ` +
      `see test/timeline/snapshots/${name}.new.svg`,
  );
}
