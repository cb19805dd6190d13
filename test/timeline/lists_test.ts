import { assertEquals, assertMatch } from "@std/assert";
import { showLists } from "../../lib/timeline/chart/lists.ts";
import type { MediaBundle } from "../../lib/timeline/chart/display.ts";
import type { Timed } from "../../lib/timeline/mod.ts";
import { timelineOf } from "./fixture.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** Lists of a notebook: with the prototype that the kernel's have after the first run. */
class List extends Array<unknown> {}
showLists(
  (value): value is Timed => Object.hasOwn(Object(value), "timeline"),
  List.prototype,
);

const shown = (list: readonly unknown[]): (() => Promise<MediaBundle>) | undefined =>
  Reflect.get(List.from(list), DISPLAY);
const run = (name: string) => ({ name, timeline: timelineOf([{ start: 0, end: 10 }]) });

Deno.test("a list of runs shows all of them, more than twelve as a report", async () => {
  const two = await shown([run("first"), run("best")])!();
  assertMatch(two["image/svg+xml"], /first · [^]*best · /);
  assertMatch(two["text/html"], /data-schemoe-gantt[^]*data-schemoe-gantt/);
  const many = await shown(Array.from({ length: 13 }, (_, i) => run(`run ${i}`)))!();
  assertMatch(many["text/html"], /data-schemoe-report[^]*run 0[^]*run 12/);
});

Deno.test("other lists show as before", () => {
  for (const list of [[], [1, 2], [run("first"), 1]]) assertEquals(shown(list), undefined);
  assertEquals(Object.keys(List.prototype), []);
});

Deno.test("outside a notebook lists stay what they are", () => {
  showLists((value): value is Timed => value !== undefined);
  assertEquals(DISPLAY in [run("first")], false);
});
