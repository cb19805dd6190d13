/**
 * Observable Plot and a DOM, loaded when something is drawn.
 * @module
 */

/** The part of a DOM document that drawing needs. */
export interface DocumentLike {
  /** The root element, of which Observable Plot asks for a style. */
  readonly documentElement: unknown;
  /** Makes an element of SVG or HTML by the URI of its namespace. */
  createElementNS(namespace: string, name: string): unknown;
}

/** Loads Observable Plot. */
export function loadPlot(): Promise<typeof import("@observablehq/plot")> {
  return import("@observablehq/plot");
}

/** A new empty document of linkedom. */
export async function makeDocument(): Promise<DocumentLike> {
  const { parseHTML } = await import("linkedom");
  // linkedom's types want the library "dom", which Deno leaves out
  return (parseHTML("<html></html>") as unknown as { document: DocumentLike }).document;
}
