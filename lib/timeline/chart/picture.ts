/**
 * Pictures other than Gantt charts: a title, lines on the run, a drawing, and a note below.
 * @module
 */
import { checkFields } from "../../arguments/mod.ts";
import type { ColumnTable } from "arquero";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { type Displayable, displayable, escapeHtml } from "./display.ts";
import { wrap } from "./facts.ts";
import { LINE, MARGIN, shorten, TITLE } from "./layout.ts";
import { boxes, type Plot, words } from "./marks.ts";
import { PAGE } from "./palette.ts";
import { type DocumentLike, loadPlot, makeDocument } from "./plot.ts";
import { type PngOptions, svgToPng } from "./png.ts";
import { showHtml, showText } from "./show.ts";
import { applyTheme, type Theme } from "./theme.ts";
import { themedHtml } from "./themed.ts";

/** How a picture is drawn. */
export interface PictureOptions {
  /** Pixels; default 960, from 400 to 20,000. */
  readonly width?: number;
  /** Line at the top. */
  readonly title?: string;
  /** Colours: those of the page (`auto`, the default), `light` or `dark`. A PNG is light by default. */
  readonly theme?: Theme;
  /** DOM in which it is made; default: a new document of linkedom. */
  readonly document?: DocumentLike;
}

/** A table with a picture of it, both of which a notebook shows. */
export interface Picture extends Displayable {
  /** The numbers of the picture. */
  readonly table: ColumnTable;
  /** The picture as SVG text. */
  svg(options?: PictureOptions): Promise<string>;
  /** The picture as the bytes of a PNG. */
  png(options?: PictureOptions & PngOptions): Promise<Uint8Array>;
  /** Picture and table as HTML, dark on dark pages. */
  html(options?: PictureOptions): Promise<string>;
  /** The table as text. */
  toString(): string;
}

/** Where a drawing may go, in pixels. */
export interface Space {
  readonly left: number;
  readonly right: number;
  readonly top: number;
}

/** A drawing that was placed: its height, its marks, and what Plot needs besides. */
export interface Drawing {
  readonly height: number;
  readonly marks: (Plot: Plot) => unknown[];
  /** Scales and margins of Plot; default: pixels everywhere. */
  readonly plot?: Record<string, unknown>;
}

/** Parts of a picture. */
export interface PictureParts {
  /** What errors call it, such as `draw the roofline`. */
  readonly doing: string;
  readonly title: string;
  /** Small lines below the title, on the run. */
  readonly lines: readonly string[];
  /** Line below the drawing. */
  readonly note?: string;
  readonly table: ColumnTable;
  /** Sentence above the table, in the text too. */
  readonly summary?: string;
  readonly label: string;
  /** Rows of the table that a notebook shows; default 12. */
  readonly shown?: number;
  readonly draw: (space: Space) => Drawing;
}

const OPTIONS = ["width", "title", "theme", "document", "scale"];

/** Makes a picture of its parts. */
export function picture(parts: PictureParts): Picture {
  const { table, summary, shown: limit = 12 } = parts;
  const text = [...(summary ? [summary] : []), showText(table, { limit })].join("\n");
  const svg = (options: PictureOptions = {}) => pictureSvg(parts, options);
  const html = async (options: PictureOptions = {}) => {
    const said = summary ? `<div>${escapeHtml(summary)}</div>` : "";
    const drawn = await themedHtml(await svg(options));
    return `<div>${drawn}${said}${showHtml(table, { limit })}</div>`;
  };
  return {
    table,
    svg,
    html,
    png: async ({ scale, ...options } = {}) =>
      await svgToPng(await svg({ theme: "light", ...options }), { scale }),
    toString: () => text,
    async [Symbol.for("Jupyter.display")]() {
      const shown = displayable({ text, svg: await svg(), html: await html() });
      return await shown[Symbol.for("Jupyter.display")]();
    },
  };
}

async function pictureSvg(parts: PictureParts, options: PictureOptions): Promise<string> {
  const { width = 960, theme = "auto" } = checked(parts.doing, options);
  const inner = width - 2 * MARGIN;
  const title = shorten(options.title ?? parts.title, 14, inner);
  const lines = wrap(parts.lines, 11, inner).map((line) => shorten(line, 11, inner));
  const note = parts.note ? wrap([parts.note], 11, inner) : [];
  const space = { left: MARGIN, right: width - MARGIN, top: TITLE + 24 + LINE * lines.length };
  const { height: inside, marks, plot } = parts.draw(space);
  const height = space.top + inside + 12 + LINE * note.length + (note.length > 0 ? 4 : 0);
  const Plot = await loadPlot();
  const document = options.document ?? await makeDocument();
  const small = { fontSize: 11, textAnchor: "start", fill: PAGE.faint } as const;
  const at = (y: number) => (text: string, i: number) => ({ x: MARGIN, y: y + LINE * i, text });
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width,
    height,
    margin: 0,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: parts.label,
    x: { type: "linear", domain: [0, width], range: [0, width], axis: null },
    y: { type: "linear", domain: [0, height], range: [0, height], axis: null },
    ...plot,
    marks: [
      boxes(Plot, { x1: [0.5], y1: [0.5], x2: [width - 0.5], y2: [height - 0.5] }, {
        fill: PAGE.paper,
        stroke: PAGE.edge,
        rx: 6,
      }),
      // deno-lint-ignore no-explicit-any
      ...marks(Plot) as any[],
      words(Plot, [{ x: MARGIN, y: TITLE, text: title }], {
        fontSize: 14,
        fontWeight: "bold",
        textAnchor: "start",
        fill: PAGE.ink,
      }),
      words(Plot, lines.map(at(TITLE + LINE)), small),
      words(Plot, note.map(at(space.top + inside + 8)), small),
    ],
  });
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  applyTheme(element, theme, document);
  return element.outerHTML;
}

/** Options without a mistake. */
function checked(doing: string, options: PictureOptions): PictureOptions {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot ${doing}: ${problem}`);
  };
  checkFields(options, OPTIONS, { what: "options", fail });
  const { width, theme } = options;
  if (width !== undefined && !(typeof width === "number" && width >= 400 && width <= 20_000)) {
    fail(`width is ${quoted(width)}, not a number of pixels from 400 to 20000`);
  }
  if (theme !== undefined && !["auto", "light", "dark"].includes(theme)) {
    fail(`theme is ${JSON.stringify(theme)}, not "auto", "light" or "dark"`);
  }
  return options;
}
