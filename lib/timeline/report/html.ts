/** The parts of a report's page. @module */
import { escapeHtml } from "../chart/display.ts";
import { worldText } from "../chart/facts.ts";
import { disturbance } from "../measures/disturbance.ts";
import { worldOf } from "../table/subject.ts";
import { differing, type NamedRun, type ReportRows } from "./rows.ts";

/** What all runs have in common, and how far they can be trusted. */
export function factsHtml(runs: readonly NamedRun[]): string {
  const varies = new Set(differing(runs));
  const common = Object.entries(runs[0].configuration ?? {})
    .filter(([name]) => !varies.has(name) && name !== "world" && name !== "pass");
  const worlds = new Set(runs.map((run) => {
    const world = worldOf(run);
    return world ? worldText(world, `${run.configuration?.engine ?? ""}`) : "";
  }));
  const disturbed = runs.filter(({ timeline }) => disturbance(timeline)).length;
  const lines = [
    common.map(([name, value]) => `${name} ${value}`).join(" · "),
    ...(worlds.size === 1 ? worlds : []),
    disturbed > 0
      ? `${disturbed} of ${runs.length} runs were disturbed: tasks took longer than they were paced to. ` +
        "Something else used the machine; do not rely on these, measure again when it is quiet."
      : "",
  ];
  return lines.filter((line) => line !== "").map((line) => `<p>${escapeHtml(line)}</p>`).join("");
}

/** The table; its first cells link to what `picture` gives for their names. */
export function tableHtml(
  { head, rows }: ReportRows,
  picture: (name: string) => string | undefined = () => undefined,
): string {
  const heads = head.map(({ name, numeric }) =>
    `<th${numeric ? " class=number" : ""}><button type="button">${escapeHtml(name)}</button></th>`
  ).join("");
  const body = rows.map((cells) => {
    const address = picture(cells[0].text);
    return `<tr>${
      cells.map(({ text, value, note }, i) => {
        const shown = escapeHtml(text);
        const linked = i === 0 && address
          ? `<a href="${escapeHtml(encodeURI(address))}">${shown}</a>`
          : shown;
        const hint = note ?? (i === 0 ? text : undefined); // a long name is cut off
        return `<td${head[i].numeric ? " class=number" : ""}${
          hint ? ` title="${escapeHtml(hint)}"` : ""
        } data-value="${escapeHtml(`${value}`)}">${linked}</td>`;
      }).join("")
    }</tr>`;
  }).join("\n");
  const marked = rows.some((cells) => cells.some(({ text }) => text.endsWith(" ~")));
  const below = marked
    ? "<p><small>~ no clear difference: one run of each, or ranges of repeats that overlap</small></p>"
    : "";
  return `<p><input type="search" placeholder="filter, such as: optSche forward" aria-label="filter"> ` +
    `<span data-count>${rows.length} runs</span></p><div class="scroll"><table><thead><tr>${heads}</tr>` +
    `</thead><tbody>${body}</tbody></table></div>${below}`;
}

/** Colours are inherited, so that it reads on light and dark pages. */
export const STYLE = `
[data-schemoe-report] { font: 14px/1.5 system-ui, sans-serif; }
[data-schemoe-report] .scroll { overflow-x: auto; }
[data-schemoe-report] table { border-collapse: collapse; }
[data-schemoe-report] td, [data-schemoe-report] th {
  padding: 2px 8px; text-align: left; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent);
}
[data-schemoe-report] table { font-size: 13px; }
[data-schemoe-report] td:first-child { max-width: 15em; overflow: hidden; text-overflow: ellipsis; }
[data-schemoe-report] .number { text-align: right; font-variant-numeric: tabular-nums; }
[data-schemoe-report] th button {
  all: unset; font-weight: 600; cursor: pointer;
}
[data-schemoe-report] th button:focus-visible { outline: 2px solid currentColor; }
[data-schemoe-report] th[aria-sort=ascending] button::after { content: " \\2191"; }
[data-schemoe-report] th[aria-sort=descending] button::after { content: " \\2193"; }
[data-schemoe-report] a { color: inherit; }
[data-schemoe-report] input {
  font: inherit; color: inherit; background: transparent; width: 22em; max-width: 100%;
  border: 1px solid color-mix(in srgb, currentColor 40%, transparent); border-radius: 4px; padding: 2px 8px;
}
`;
/** Of a page of its own. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; background: #ffffff; color: #1f2328; }
@media (prefers-color-scheme: dark) { :root { background: #0d1117; color: #e6edf3; } }
body { margin: 24px auto; max-width: 1360px; padding: 0 16px; }
`;
