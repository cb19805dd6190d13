/**
 * Charts on dark pages: which colour becomes which. Colours are told by their value, so that an SVG
 * as a file, a page that holds it and a PNG are made dark by the same list.
 * @module
 */
import { PAGE } from "./palette.ts";
import type { DocumentLike } from "./plot.ts";

/** `auto` follows the page, and in a file of its own what the reader prefers. */
export type Theme = "auto" | "light" | "dark";

/** Colours of a light page, and what they become on a dark one; a test holds them to differ as much. */
export const DARK_COLOURS: Readonly<Record<string, string>> = {
  // paper, edge, band, grid, ink, faint ink, exposed
  "#ffffff": "#0d1117",
  "#d0d7de": "#3d444d",
  "#f1f4f7": "#1c2128",
  "#c9d1d9": "#3d444d",
  "#1f2328": "#e6edf3",
  "#57606a": "#9da7b1",
  "#fbc3b5": "#5c2420",
  // gate, expert, expert input gradient, combine, all-to-all back, all-reduce
  "#790f8a": "#9800a8",
  "#006be6": "#0f75ee",
  "#100eb2": "#6800f8",
  "#37383a": "#585858",
  "#fffa6e": "#f8f898",
  "#c50202": "#d80f0f",
  // the first of the colours of curves
  "#0072b2": "#2f81d6",
  // from few to many tokens, those around the mean; what is far from it stays
  "#d1e5f0": "#274a66",
  "#f7f7f7": "#2d333b",
  "#fddbc7": "#70452f",
};

/** Style rules that make what `selector` selects dark. */
export function darkRules(selector: string): string {
  return Object.entries(DARK_COLOURS).map(([light, dark]) =>
    `${selector} [fill="${light}"]{fill:${dark}}${selector} [stroke="${light}"]{stroke:${dark}}`
  ).join("");
}

/** Elements of a document, as far as they are needed here. */
interface ElementLike {
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  querySelectorAll(selector: string): Iterable<ElementLike>;
  readonly parentElement: ElementLike | null;
  prepend(...nodes: unknown[]): void;
  textContent: string;
}

/**
 * Puts paper below a drawing that Plot made with its own axes, and ink in place of the colour of its page, so
 * that a theme can replace both.
 */
function onPaper(svg: unknown, document: DocumentLike): void {
  const root = svg as ElementLike;
  for (const name of ["fill", "stroke"]) {
    for (const element of root.querySelectorAll(`[${name}="currentColor"]`)) {
      element.setAttribute(name, PAGE.ink);
    }
  }
  // what has no colour of its own has that of the whole picture, which no rule for its parts reaches
  for (const text of root.querySelectorAll("text")) {
    let at: ElementLike | null = text;
    while (at && at !== root && !at.getAttribute("fill")) at = at.parentElement;
    if (at === root) text.setAttribute("fill", PAGE.ink);
  }
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect") as ElementLike;
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", PAGE.paper]]) {
    paper.setAttribute(name, value);
  }
  root.prepend(paper);
}

/** Gives a drawn SVG its theme. */
export function applyTheme(svg: unknown, theme: Theme, document: DocumentLike): void {
  const root = svg as ElementLike;
  if (theme === "auto") {
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style") as ElementLike;
    // ":root" is the picture only where it is a document of its own: a page that holds it decides itself
    style.textContent = `@media (prefers-color-scheme:dark){${darkRules("svg:root")}}`;
    root.prepend(style);
  }
  if (theme !== "dark") return;
  for (const name of ["fill", "stroke"]) {
    for (const element of root.querySelectorAll(`[${name}]`)) {
      const dark = DARK_COLOURS[element.getAttribute(name) ?? ""];
      if (dark) element.setAttribute(name, dark);
    }
  }
}

/** SVG text of a drawing that Plot made with its own axes, on paper and in a theme: every chart ends with it. */
export function svgText(
  svg: unknown,
  { document, theme = "auto" }: { readonly document: DocumentLike; readonly theme?: Theme },
): string {
  (svg as ElementLike).setAttribute("xmlns", "http://www.w3.org/2000/svg");
  onPaper(svg, document);
  applyTheme(svg, theme, document);
  return (svg as ElementLike & { readonly outerHTML: string }).outerHTML;
}
