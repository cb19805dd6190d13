/** @module */
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import { oneRun, type Timeline } from "../table/columns.ts";
import { compare, type Comparison } from "./compare.ts";
import { renamed, type Subject, type Timed, timed } from "../table/subject.ts";
import { type Displayable, displayable } from "../chart/display.ts";
import { makespan } from "./makespan.ts";
import { groupBy, operationsOf } from "../table/operations.ts";
import { legendOrder } from "../chart/palette.ts";
import { showHtml, showText } from "../chart/show.ts";

/** A run beside its simulation: shows both on one time axis, and a table. */
export interface Prediction extends Displayable {
  /**
   * `what` (a kind of task and its lane, `waiting for a peer`, or `makespan`), `predicted_ns` and
   * `measured_ns` (means over ranks of sums over tasks; the makespan as it is), and `ratio`, measured
   * over predicted (null where nothing was predicted).
   */
  readonly table: Timeline;
  /** The two runs, the measured one first. */
  readonly runs: Comparison;
  /** The table as text. */
  toString(): string;
}

const isSimulated = ({ configuration }: Timed): boolean => configuration?.engine === "simulate";

/**
 * How well a simulation predicts the measurement, kind by kind. Times of tasks are without waiting
 * for peers, which has a line of its own.
 *
 * ```ts
 * import { createLayer, openEngine, predictedVsMeasured } from "@schemoe/lab";
 * import { simulated } from "@schemoe/lab/layer";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, computation: "paced" });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward();
 * console.log(`${predictedVsMeasured(run, simulated(run))}`); // kind by kind
 * ```
 * @param measured a run; one of `MoeLayer` is one.
 * @param simulated the same Programs simulated; `simulated(run)` makes it.
 * @throws {SchemoeError} naming a task that only one of the two has, and for the simulated one given first.
 */
export function predictedVsMeasured(measured: Subject, simulated: Subject): Prediction {
  const doing = (which: string) => `compare with the simulation: the ${which} one is no run`;
  const [one, other] = [
    timed(measured, doing("measured")),
    timed(simulated, doing("simulated")),
  ];
  // of two simulations either may stand for the measured one
  if (isSimulated(one) && !isSimulated(other)) {
    throw new SchemoeError(
      "Cannot compare with the simulation: the first run is simulated and the second is not; give the measured one first",
    );
  }
  const real = timesOf(one.timeline);
  const model = timesOf(other.timeline);
  for (
    const [has, lacks, which] of [[real, model, "simulated"], [model, real, "measured"]] as const
  ) {
    const missing = [...has.names].find((name) => !lacks.names.has(name));
    if (missing !== undefined) {
      throw new SchemoeError(
        `Cannot compare with the simulation: the ${which} run has no task ${missing}, simulate the same Programs`,
      );
    }
  }
  const kinds = legendOrder([...real.kinds.values()]);
  const keys = [...real.sums.keys()].toSorted((a, b) =>
    kinds.indexOf(real.kinds.get(a)!) - kinds.indexOf(real.kinds.get(b)!) || (a < b ? -1 : 1)
  );
  const rows = [
    ...keys.map((what) => [what, model.sums.get(what) ?? 0, real.sums.get(what)!] as const),
    ["waiting for a peer", model.waiting, real.waiting] as const,
    ["makespan", makespan(other), makespan(one)] as const,
  ];
  const summary = table({
    what: rows.map(([what]) => what),
    predicted_ns: Float64Array.from(rows, ([, predicted]) => predicted),
    measured_ns: Float64Array.from(rows, ([, , found]) => found),
    ratio: rows.map(([, predicted, found]) => predicted > 0 ? found / predicted : null),
  });
  const called = (run: Timed, what: string) =>
    renamed(run, { name: `${run.name ?? oneRun(run.timeline)}, ${what}`, pass: run.pass });
  const runs = compare([called(one, "measured"), called(other, "simulated")]);
  const text = showText(summary);
  return {
    table: summary,
    runs,
    toString: () => text,
    async [Symbol.for("Jupyter.display")]() {
      const shown = displayable({
        text,
        svg: await runs.svg(),
        html: `<div>${await runs.html()}${showHtml(summary)}</div>`,
      });
      return await shown[Symbol.for("Jupyter.display")]();
    },
  };
}

/** Mean times of a rank by kind and lane. */
function timesOf(timeline: Timeline) {
  const { all } = operationsOf(timeline);
  const ranks = Math.max(1, new Set(all.map(({ rank }) => rank)).size);
  const groups = groupBy(all, ({ kind, lane }) => lane === "compute" ? kind : `${kind} ${lane}`);
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  return {
    names: new Set(all.map(({ name, rank }) => `${name} at rank ${rank}`)),
    kinds: new Map([...groups].map(([key, [{ kind }]]) => [key, kind])),
    sums: new Map(
      [...groups].map((
        [key, list],
      ) => [key, sum(list.map(({ begun, end }) => end - begun)) / ranks]),
    ),
    waiting: sum(all.map(({ start, begun }) => begun - start)) / ranks,
  };
}
