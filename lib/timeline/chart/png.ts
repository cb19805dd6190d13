/**
 * Pictures as PNG, for papers and slides.
 * @module
 */
import { anything, aText, expect, options } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import type { Subject } from "../table/subject.ts";
import { type GanttOptions, ganttSvg } from "./gantt.ts";
import { quoted } from "../../words.ts";

const SVG_TO_PNG_OPTIONS = options({ scale: anything, theme: anything });

/** How a PNG is made. */
export interface PngOptions {
  /** Pixels of the PNG for each pixel of the SVG; default 2, at most 16. */
  readonly scale?: number;
}

/** Pixels of a PNG, of four bytes each while it is drawn. */
const MOST_PIXELS = 250e6;

const FONT = "Atkinson Hyperlegible";

/**
 * A PNG of an SVG, drawn by resvg (npm `@resvg/resvg-js`) with a font from npm, so that it looks the
 * same everywhere; for letters that the font lacks, fonts of the system.
 *
 * ```ts
 * import { svgToPng } from "@schemoe/lab/timeline";
 * const png = await svgToPng(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`);
 * console.assert(png[1] === 80);
 * ```
 * @throws {SchemoeError} when it is not an SVG, the scale is not between 0 and 16, or more than 250 million
 * pixels would be drawn.
 */
export async function svgToPng(svg: string, options: PngOptions = {}): Promise<Uint8Array> {
  expect("svgToPng", "svg", svg, aText);
  expect("svgToPng", "options", options, SVG_TO_PNG_OPTIONS);
  const { scale = 2 } = options;
  if (!(typeof scale === "number" && scale > 0 && scale <= 16)) {
    throw new SchemoeError(
      `Cannot make the PNG: scale is ${quoted(scale)}, not a number above 0 up to 16`,
    );
  }
  const { Resvg } = await import("@resvg/resvg-js");
  try {
    const drawn = new Resvg(svg, {
      fitTo: { mode: "zoom", value: scale },
      font: {
        fontFiles: await fontFiles(),
        loadSystemFonts: true,
        defaultFontFamily: FONT,
        sansSerifFamily: FONT,
      },
    });
    const pixels = drawn.width * scale * drawn.height * scale;
    if (pixels > MOST_PIXELS) {
      const most = Math.sqrt(MOST_PIXELS / (drawn.width * drawn.height));
      throw new SchemoeError(
        `Cannot make the PNG: ${drawn.width} x ${drawn.height} at the scale ${scale} are ` +
          `${Math.round(pixels / 1e6)} million pixels, at most ${MOST_PIXELS / 1e6} million are ` +
          `drawn; take a scale of at most ${Math.floor(most * 100) / 100}`,
      );
    }
    return drawn.render().asPng();
  } catch (cause) {
    if (cause instanceof SchemoeError) throw cause;
    throw new SchemoeError(`Cannot make the PNG: ${(cause as Error)?.message ?? cause}`, { cause });
  }
}

/** The Gantt chart of a run or timeline as PNG; see `gantt`. */
export async function ganttPng(
  run: Subject,
  { scale, ...options }: GanttOptions & PngOptions = {},
): Promise<Uint8Array> {
  return await svgToPng(await ganttSvg(run, { theme: "light", ...options }), { scale });
}

/** Files of the font, which Deno fetches with the package when that is imported. */
async function fontFiles(): Promise<string[]> {
  await import("@expo-google-fonts/atkinson-hyperlegible/package.json", { with: { type: "json" } });
  const at = ["400Regular", "400Regular_Italic", "700Bold"].map((style) =>
    import.meta.resolve(
      `@expo-google-fonts/atkinson-hyperlegible/${style}/AtkinsonHyperlegible_${style}.ttf`,
    )
  );
  return at.map((url) => decodeURIComponent(new URL(url).pathname));
}
