/** What Perfetto's trace processor asks of a JSON trace, so that it imports it without a warning. */
import { assert, assertEquals } from "@std/assert";

/** An event as it is in a trace. */
export interface Event {
  readonly ph: string;
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly id: number;
  readonly bp?: string;
  // deno-lint-ignore no-explicit-any
  readonly args: any;
}

/** Microseconds as the whole nanoseconds that Perfetto makes of them. */
const nanoseconds = (microseconds: number) => Math.trunc(microseconds * 1000);

/** Events of a trace, checked. */
export function checkTrace(text: string): Event[] {
  const events: Event[] = JSON.parse(text).traceEvents;
  const tracks = new Map<string, Event[]>();
  const named = new Set<string>();
  for (const event of events) {
    assert(Number.isInteger(event.pid) && event.pid >= 0, JSON.stringify(event));
    assert(Number.isInteger(event.tid) && event.tid > 0, JSON.stringify(event));
    assert(Number.isFinite(event.ts));
    const track = `${event.pid} ${event.tid}`;
    if (event.ph === "M") named.add(`${event.name} ${event.pid} ${event.tid}`);
    else tracks.set(track, [...tracks.get(track) ?? [], event]);
  }
  const flows = new Map<number, string>();
  for (const [track, list] of tracks) {
    assert(named.has(`thread_name ${track}`) && named.has(`thread_sort_index ${track}`));
    assert(named.has(`process_name ${list[0].pid} 1`));
    const open: { end: number }[] = [];
    for (const event of list.toSorted((a, b) => a.ts - b.ts)) {
      const begin = nanoseconds(event.ts);
      while (open.length > 0 && open.at(-1)!.end <= begin) open.pop();
      if (event.ph === "X") {
        assert(event.dur >= 0);
        const end = begin + nanoseconds(event.dur);
        assert(open.every((outer) => end <= outer.end), `${event.name} overlaps on ${track}`);
        open.push({ end });
      } else {
        assert(open.length > 0, `flow ${event.id} has no slice around it on ${track}`);
        assertEquals(event.bp, event.ph === "f" ? "e" : undefined);
      }
    }
  }
  for (const { ph, id, ts, name, cat } of events) {
    if (ph !== "s" && ph !== "f") continue;
    if (ph === "s") {
      assert(!flows.has(id));
      flows.set(id, `${name} ${cat} ${ts}`);
    } else {
      const [before, time] = flows.get(id)!.split(/ (?=[\d.]+$)/);
      assertEquals(`${name} ${cat}`, before);
      assert(Number(time) <= ts, "an arrow points backwards");
      flows.set(id, "ended");
    }
  }
  for (const state of flows.values()) assertEquals(state, "ended");
  return events;
}
