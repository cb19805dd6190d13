/**
 * Values that show themselves in a notebook.
 * @module
 */
import { aText, expect, record } from "../../arguments/mod.ts";
import { notebook } from "../../notebook.ts";
import { themedHtml } from "./themed.ts";

const DISPLAYABLE_SHOWN = record("what is shown { text, svg, html }", { text: aText });

/** What Jupyter shows, by media type. */
export type MediaBundle = Record<string, string>;

/** A value that Deno's Jupyter kernel shows as pictures and text. */
export interface Displayable {
  /** Its text, in a template. */
  toString(): string;
  /** At `Symbol.for("Jupyter.display")`: gives what Jupyter shows. */
  [key: symbol]: () => Promise<MediaBundle>;
}

/** The forms in which a value can be shown. */
export interface Shown {
  /** Text for a terminal. */
  readonly text: string;
  /** An `<svg>` element. */
  readonly svg?: string;
  /** Default: the picture, dark on dark pages, with the text below, or the text as it is. Put in as it is. */
  readonly html?: string;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** Time that the kernel needs to send an output before its cell may end, in milliseconds. */
const SETTLE = 50;

/** Text as HTML that shows exactly that text. */
export function escapeHtml(text: string): string {
  expect("escapeHtml", "text", text, aText);
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** A value that shows itself when it is the last one of a cell: as HTML, SVG (if given) and text, which it is in a template. */
export function displayable(shown: Shown): Displayable {
  expect("displayable", "shown", shown, DISPLAYABLE_SHOWN);
  const { text, svg, html } = shown;
  const escaped = escapeHtml(text);
  return {
    toString: () => text,
    [DISPLAY]: async () =>
      await sendBundle({
        "text/html": html ??
          (svg ? `${await themedHtml(svg)}<pre>${escaped}</pre>` : `<pre>${escaped}</pre>`),
        "text/plain": text,
        ...(svg ? { "image/svg+xml": svg } : {}),
      }),
  };
}

/**
 * Sends a bundle to the notebook and returns an empty one; outside a notebook returns the bundle.
 *
 * The kernel may report a cell done before it has sent the value of its last line, and then the value
 * is lost (measured: 5 of 40 pictures). An output that is sent before was not, given some
 * time to arrive (20 ms on an idle machine; 1 of 40 was on a busy one).
 */
export async function sendBundle(bundle: MediaBundle): Promise<MediaBundle> {
  const jupyter = notebook();
  if (!jupyter) return bundle;
  await jupyter.broadcast("display_data", { data: bundle, metadata: {}, transient: {} });
  await settled();
  return {};
}

/**
 * Shows a value in the middle of a cell. Outside a notebook it does nothing.
 *
 * It returns 50 ms after sending, because outputs that were sent just before a cell ended can be
 * lost when a notebook is executed by nbconvert.
 */
export async function display(value: unknown): Promise<void> {
  const jupyter = notebook();
  if (!jupyter) return;
  const itself = (value as Partial<Displayable> | undefined)?.[DISPLAY];
  if (itself) await sendUnlessSent(await itself.call(value));
  else await jupyter.display(value, { raw: false });
  await settled();
}

/**
 * Waits until what a cell has printed is sent: `console.log` at the very end of a cell can be lost too.
 */
export const settled = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, notebook() ? SETTLE : 0));

/** Values of this project send themselves and leave an empty bundle. */
async function sendUnlessSent(bundle: MediaBundle): Promise<void> {
  if (Object.keys(bundle).length > 0) await sendBundle(bundle);
}
