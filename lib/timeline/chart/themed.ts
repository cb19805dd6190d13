/**
 * Pictures in a page, dark where that is dark; nothing is fetched.
 * @module
 */
import { darkRules } from "./theme.ts";

/** HTML of pictures in the colours of the page that holds them, also when these change. */
export async function themedHtml(
  content: string,
  attribute = "data-schemoe-picture",
): Promise<string> {
  const { default: script } = await import("./theme.js", { with: { type: "text" } });
  return `<div ${attribute}><style>${darkRules('[data-schemoe-theme="dark"]')}</style>${content}` +
    `<script>${script}</script></div>`;
}
