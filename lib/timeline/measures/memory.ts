/** @module */
import { table } from "arquero";
import { memoryPlan } from "../../memory/mod.ts";
import { type Life, SchemoeError } from "../../types.ts";
import type { Timeline } from "../table/columns.ts";
import { programsOf, type RanOrder, type Subject, timed } from "../table/subject.ts";

/** Memory of one rank over the time of a run. */
export interface MemoryUse {
  readonly rank: number;
  /** Begin and end in nanoseconds, and the bytes in use between them; one after another, without gaps. */
  readonly steps: readonly {
    readonly begin: number;
    readonly end: number;
    readonly bytes: number;
  }[];
}

/** Memory of a run. */
export interface RunMemory {
  /** Bytes that a rank provides: buffers of their own, and the arena that those within a pass share. */
  readonly provided: number;
  /** What it would be if none shared. */
  readonly apart: number;
  of(rank: number): MemoryUse;
}

/** When a buffer holds something, in nanoseconds. */
interface Held {
  readonly begin: number;
  readonly end: number;
  readonly bytes: number;
}

/**
 * How much memory each rank has in use over time: a table with `rank`, `begin_ns`, `end_ns`, `bytes` and
 * `provided_bytes` (of buffers of their own, and the arena that buffers within a pass share by the memory plan).
 *
 * In use is a buffer of one pass from the first task that uses it to the end of the last; what forward keeps for
 * backward from or until then; outputs and gradients from their first task on; parameters, states and inputs
 * always. `gantt(run, { memory: true })` draws it below the lanes of each rank.
 *
 * ```ts
 * import { memoryOverTime } from "@schemoe/lab/timeline";
 * import { createLayer, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * const table = memoryOverTime(await layer.forward());
 * const most = Math.max(...table.array("bytes") as number[]);
 * console.assert(most <= table.get("provided_bytes", 0));
 * ```
 * @throws {SchemoeError} for a timeline alone and for a run that was loaded, which have no Programs.
 */
export function memoryOverTime(run: Subject): Timeline {
  const memory = memoryOf(run, "show the memory");
  const programs = programsOf(timed(run))!;
  const ranks = [...new Set(programs.flatMap(({ events }) => [...new Set(events.rank)]))];
  const rows = ranks.toSorted((a, b) => a - b).flatMap((rank) =>
    memory.of(rank).steps.map((step) => ({ rank, ...step }))
  );
  return table({
    rank: Uint32Array.from(rows, ({ rank }) => rank),
    begin_ns: Float64Array.from(rows, ({ begin }) => begin),
    end_ns: Float64Array.from(rows, ({ end }) => end),
    bytes: Float64Array.from(rows, ({ bytes }) => bytes),
    provided_bytes: Float64Array.from(rows, () => memory.provided),
  });
}

/** Memory of a run by rank. @throws {SchemoeError} where there are no Programs. */
export function memoryOf(run: Subject, doing: string): RunMemory {
  const programs = programsOf(timed(run, doing));
  if (!programs) {
    throw new SchemoeError(
      `Cannot ${doing}: a timeline alone and a run that was loaded have no Programs; give the run itself`,
    );
  }
  const plans = programs.map(({ program }) => memoryPlan(program));
  const own = new Map<string, number>();
  for (const plan of plans) {
    for (const [name, bytes] of Object.entries(plan.own)) {
      own.set(name, Math.max(bytes, own.get(name) ?? 0));
    }
  }
  const kept = own.values().reduce((sum, bytes) => sum + bytes, 0);
  const most = (of: (plan: typeof plans[number]) => number) =>
    plans.reduce((largest, plan) => Math.max(largest, of(plan)), 0);
  return {
    provided: kept + most(({ arena }) => arena),
    apart: kept + most(({ apart }) => apart),
    of: (rank) => ({ rank, steps: stepsOf(heldOf(programs, rank)) }),
  };
}

/** Buffers of a rank with the time in which each holds something. */
function heldOf(programs: readonly RanOrder[], rank: number): Held[] {
  let offset = 0;
  const parts = programs.map(({ program, events }) => {
    const begin = offset;
    offset += events.end.reduce((latest, end) => Math.max(latest, end), 0);
    return { program, events, begin };
  });
  const spans = new Map<string, { begin: number; end: number; bytes: number; life: Life }>();
  const found: Held[] = [];
  for (const { program: { order, graph }, events, begin } of parts) {
    const used = usesOf(order, events, rank, begin);
    for (const [name, bytes] of Object.entries(graph.buffers)) {
      const life = graph.lives?.[name] ?? "saved";
      const span = used?.get(name) ?? { begin: 0, end: offset };
      // each Program has an arena of its own
      if (life === "pass") {
        // what nothing uses holds nothing
        if (!used || used.has(name)) found.push({ ...span, bytes });
      } else {
        const before = spans.get(name);
        spans.set(name, {
          bytes: Math.max(bytes, before?.bytes ?? 0),
          life,
          begin: Math.min(span.begin, before?.begin ?? Infinity),
          end: Math.max(span.end, before?.end ?? 0),
        });
      }
    }
  }
  const { pass } = programs.at(-1)!.program.graph;
  for (const span of spans.values()) found.push(heldFor(span, pass, offset));
  return found;
}

/** How long a buffer holds something that outlives a pass, or comes from before it. */
function heldFor(span: Held & { readonly life: Life }, pass: string, whole: number): Held {
  const { begin, end, bytes, life } = span;
  if (life === "output" || life === "gradient") return { begin, end: whole, bytes };
  if (life !== "saved") return { begin: 0, end: whole, bytes };
  return {
    begin: pass === "backward" ? 0 : begin,
    end: pass === "forward" ? whole : end,
    bytes,
  };
}

/** First begin and last end of the tasks that use each buffer; undefined where a task does not say what it uses. */
function usesOf(
  order: RanOrder["program"]["order"],
  events: RanOrder["events"],
  rank: number,
  offset: number,
): Map<string, { begin: number; end: number }> | undefined {
  if (order.some(({ uses, kernels, transfers }) => !uses && (kernels || transfers))) {
    return undefined;
  }
  const used = new Map<string, { begin: number; end: number }>();
  for (let i = 0; i < events.position.length; i++) {
    if (events.rank[i] !== rank) continue;
    const [begin, end] = [events.start[i] + offset, events.end[i] + offset];
    for (const name of order[events.position[i]].uses ?? []) {
      const before = used.get(name);
      used.set(name, {
        begin: Math.min(begin, before?.begin ?? Infinity),
        end: Math.max(end, before?.end ?? 0),
      });
    }
  }
  return used;
}

/** Sums over time. */
function stepsOf(held: readonly Held[]): MemoryUse["steps"] {
  const changes = held.flatMap(({ begin, end, bytes }) => [
    { at: begin, by: bytes },
    { at: end, by: -bytes },
  ]).toSorted((a, b) => a.at - b.at);
  const steps: { begin: number; end: number; bytes: number }[] = [];
  let bytes = 0;
  for (const [i, { at, by }] of changes.entries()) {
    bytes += by;
    const next = changes[i + 1]?.at ?? at;
    if (next <= at) continue;
    const last = steps.at(-1);
    if (last && last.bytes === bytes) steps[steps.length - 1] = { ...last, end: next };
    else steps.push({ begin: at, end: next, bytes });
  }
  return steps;
}
