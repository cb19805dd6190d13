/** @module */
import { checkFields } from "../../arguments/mod.ts";
import { table } from "arquero";
import { productBytes } from "../../kernels/mod.ts";
import { type Processor, SchemoeError, type Task } from "../../types.ts";
import { parseRate, rateText, type RateUnit } from "../../units.ts";
import { quoted } from "../../words.ts";
import { isCommunication, numbers, oneRun, type Subject } from "../table/columns.ts";
import { factsOf, titleOf } from "../chart/facts.ts";
import { kindStyle, legendOrder } from "../chart/palette.ts";
import { type Picture, picture } from "../chart/picture.ts";
import { formatPercent } from "../table/format.ts";
import { groupBy, type Operation, operationsOf } from "../table/operations.ts";
import { programsOf, type Timed, timed, worldOf } from "../table/subject.ts";
import { type RooflineDot, rooflineDots } from "./roofline_dots.ts";

/** Peak rates of one rank. */
export interface Peaks {
  /** Floating-point operations a second, or a text such as `"989 TFLOP/s"`. */
  readonly flopRate: number | string;
  /** Bytes of memory traffic a second, or a text such as `"4.8 TB/s"`. */
  readonly byteRate: number | string;
}

/**
 * How close each task of computation comes to the peaks of a rank: a picture with a dot for each task, by its
 * arithmetic intensity (operations a byte of memory traffic) and its rate, below the roof
 * `min(flopRate, intensity * byteRate)` (Williams, Waterman and Patterson, 2009, doi 10.1145/1498765.1498785).
 * The table has `pass`, `name`, `kind`, `flops`, `bytes`, `ns` (means over ranks), `intensity`,
 * `flops_per_second`, `bytes_per_second` and `of_roof`: the least time that the peaks allow over the time it
 * took; tasks that calculate nothing have no dot, and are in the table. Bytes of matrix products are the least
 * that they move, each factor and result once; a run that was loaded does not know them. Paced and simulated
 * times know operations, not the bytes of products, so that small products can lie above the roof.
 *
 * @param peaks of a rank; default those of the topology, where computation is paced or simulated. The peaks of
 * this machine are not known: what was computed at full speed needs them.
 *
 * ```ts
 * import { roofline } from "@schemoe/lab/timeline";
 * import { createLayer, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * const { table } = roofline(await layer.forward());
 * console.assert((table.array("of_roof") as number[]).every((part) => part > 0));
 * ```
 * @throws {SchemoeError} when it is no run, a column is missing, it holds several runs, or peaks are missing or
 * no rates.
 */
export function roofline(run: Subject, peaks?: Peaks): Picture {
  const given = timed(run, "draw the roofline");
  const roof = peaks ? peaksOf(peaks) : knownPeaks(given);
  const dots = dotsOf(given, roof);
  const drawn = dots.filter(({ intensity }) => intensity > 0);
  const rate = rateText(roof.flopRate, "FLOP/s");
  const bytes = rateText(roof.byteRate, "B/s");
  const left = dots.length - drawn.length;
  return picture({
    doing: "draw the roofline",
    label: "Roofline of tasks",
    title: `${titleOf(given) ?? oneRun(given)}: roofline of its tasks`,
    lines: factsOf(given),
    summary: summaryOf(dots),
    note: `roof of a rank: ${rate} and ${bytes} of memory traffic, which meet at ${
      Number((roof.flopRate / roof.byteRate).toPrecision(3))
    } FLOP a byte${
      left > 0
        ? ` · ${left} ${left === 1 ? "task" : "tasks"} without operations or bytes not drawn`
        : ""
    }`,
    table: table({
      pass: dots.map(({ pass }) => pass),
      name: dots.map(({ name }) => name),
      kind: dots.map(({ kind }) => kind),
      flops: Float64Array.from(dots, ({ flops }) => flops),
      bytes: Float64Array.from(dots, ({ bytes }) => bytes),
      ns: Float64Array.from(dots, ({ ns }) => ns),
      intensity: dots.map(({ intensity }) => intensity > 0 ? intensity : null),
      flops_per_second: Float64Array.from(dots, ({ flops, ns }) => flops / ns * 1e9),
      bytes_per_second: Float64Array.from(dots, ({ bytes, ns }) => bytes / ns * 1e9),
      of_roof: Float64Array.from(dots, ({ share }) => share),
    }),
    draw: (space) => rooflineDots({ dots: drawn, roof }, space),
  });
}

/** Peak rates as numbers. */
export type Roof = Pick<Processor, "flopRate" | "byteRate">;

function peaksOf(peaks: Peaks): Roof {
  const known = ["flopRate", "byteRate"];
  checkFields(peaks, known, {
    what: "peaks",
    of: "a peak",
    fail(problem) {
      throw new SchemoeError(`Cannot draw the roofline: ${problem}`);
    },
  });
  const rate = (name: keyof Peaks, unit: RateUnit, example: string) => {
    const value = peaks[name];
    const number = typeof value === "string" ? parseRate(value, unit) : value;
    if (typeof number === "number" && number > 0 && number < Infinity) return number;
    throw new SchemoeError(
      `Cannot draw the roofline: ${name} is ${quoted(value)}, not a rate such as ${example}`,
    );
  };
  return {
    flopRate: rate("flopRate", "FLOP/s", '"989 TFLOP/s"'),
    byteRate: rate("byteRate", "B/s", '"4.8 TB/s"'),
  };
}

/** Peaks that computation was paced to, or simulated with. */
function knownPeaks(run: Timed): Roof {
  const world = worldOf(run);
  const engine = `${run.configuration?.engine ?? ""}`;
  if (world && (engine.startsWith("simulate") || engine.includes("paced"))) return world.processor;
  throw new SchemoeError(
    "Cannot draw the roofline: the peak rates of a rank are not known; give them, such as " +
      `{ flopRate: "989 TFLOP/s", byteRate: "4.8 TB/s" }`,
  );
}

function dotsOf(run: Timed, { flopRate, byteRate }: Roof): RooflineDot[] {
  const flopsAt = numbers(run.timeline, "flops");
  const { all } = operationsOf(run.timeline);
  const computing = all.filter(({ kind, begun, end }) => !isCommunication(kind) && end > begun);
  const groups = groupBy(computing, ({ pass, name }) => `${pass} ${name}`);
  const products = productsOf(run);
  return [...groups.values()].map((list) => {
    const mean = (of: (operation: typeof list[number]) => number) =>
      list.reduce((sum, operation) => sum + of(operation), 0) / list.length;
    const flops = mean(({ row }) => flopsAt.at(row));
    const ns = mean(({ begun, end }) => end - begun);
    const bytes = mean((operation) => operation.bytes + products(operation));
    const { pass, name, kind } = list[0];
    const least = Math.max(flops / flopRate, bytes / byteRate) * 1e9;
    const intensity = bytes > 0 ? flops / bytes : 0;
    return { pass, name, kind, flops, bytes, ns, intensity, share: least / ns };
  });
}

/** Bytes of the matrix products of an operation, which the column `bytes` leaves out. */
function productsOf(run: Timed): (operation: Operation) => number {
  const tasks = new Map<string, Task>(
    programsOf(run)?.flatMap(({ program }) =>
      program.order.map((task) => [`${task.pass} ${task.name}`, task] as const)
    ),
  );
  const known = new Map<string, number>();
  return ({ pass, name, rank: of }) => {
    const task = tasks.get(`${pass} ${name}`);
    const rank = task?.rankFlops ? of : 0;
    const key = `${pass} ${name} ${rank}`;
    let bytes = known.get(key);
    if (bytes === undefined) {
      bytes = (task?.kernels?.(rank) ?? []).reduce((sum, kernel) => sum + productBytes(kernel), 0);
      known.set(key, bytes);
    }
    return bytes;
  };
}

/** How much of the computation the peaks account for, and the kind that loses most. */
function summaryOf(dots: readonly RooflineDot[]): string {
  if (dots.length === 0) return "Nothing computes.";
  const sum = (list: readonly RooflineDot[], of: (dot: RooflineDot) => number) =>
    list.reduce((total, dot) => total + of(dot), 0);
  const ns = sum(dots, (dot) => dot.ns);
  const lost = (list: readonly RooflineDot[]) => sum(list, (dot) => dot.ns * (1 - dot.share));
  const kinds = groupBy(dots, ({ kind }) => kind);
  const [worst] = legendOrder(kinds.keys()).toSorted((a, b) =>
    lost(kinds.get(b)!) - lost(kinds.get(a)!)
  );
  const part = sum(dots, (dot) => dot.ns * dot.share) / ns;
  // no part of a whole: tasks that are paced by the peaks, or whose values lie in caches, are above 100 % as well
  const percent = part < 0.5 ? formatPercent(part) : `${Math.round(100 * part)} %`;
  return `Computation is at ${percent} of what the peaks allow; most is lost in ${
    kindStyle(worst).name
  }.`;
}
