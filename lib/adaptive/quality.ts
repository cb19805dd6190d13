/** How far predictions can be trusted: many layers, many schedules, predicted and measured. @module */
import { anEngine, checkFields, expect } from "../arguments/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import { lowerBound } from "../costs/mod.ts";
import type { Engine, Program } from "../engine.ts";
import {
  createLayer,
  type MoeLayer,
  orderOf,
  type PassChoices,
  type Run,
  simulated,
} from "../layer/mod.ts";
import { type MachineProfile, median, profileCosts, profiledTopology } from "../profile/mod.ts";
import { checkOrigin } from "../profile/origin.ts";
import { commonText, worldText } from "../timeline/chart/facts.ts";
import { disturbance, progress } from "../timeline/mod.ts";
import { checkSignal } from "../layer/check_signal.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { observe, takenBy } from "./observe.ts";
import { atSpeed, SpeedProbe } from "./speed.ts";
import { PredictionQuality, type QualityRow } from "./quality_result.ts";

/** What is predicted and measured. */
export interface QualityOptions {
  /** The profile that predicts. */
  readonly profile: MachineProfile;
  /** Layers, preferably not among those of the fit. */
  readonly shapes: readonly LayerConfig[];
  /** Choices that are ranked; default eight of schedulers, all-to-alls, codecs and numbers of chunks. */
  readonly choices?: readonly PassChoices[];
  /** Undisturbed runs of each pass that count, default 3. */
  readonly repeats?: number;
  /** Runs of a pass at most, until so many were undisturbed; default four times as many. */
  readonly most?: number;
  /** Seconds after which no other layer is begun; default none. */
  readonly seconds?: number;
  /** Ends measuring with an error when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Choices that differ in all that can be chosen. */
export const COMPARED: readonly PassChoices[] = [
  { scheduler: "sequential", allToAll: "linear" },
  { scheduler: "optSche", allToAll: "pipe", chunks: 2 },
  { scheduler: "optSche", allToAll: "pipe", chunks: 4 },
  { scheduler: "tutel", allToAll: "linear", chunks: 2 },
  { scheduler: "tutel", allToAll: "hierarchical2d", chunks: 4 },
  { scheduler: "fasterMoE", allToAll: "linear", chunks: 2 },
  { scheduler: "criticalPath", allToAll: "pairwise", chunks: 2 },
  { scheduler: "optSche", allToAll: "pipe", chunks: 2, compressor: "int8" },
];

const PASSES = ["forward", "backward"] as const;
const OPTIONS = ["profile", "shapes", "choices", "repeats", "most", "seconds", "signal"];

/**
 * Runs layers under several choices and predicts the same Programs: signed error of the step and of each kind of
 * task, Kendall's tau of the choices, and the regret of taking the one predicted to be best. Orders that
 * are the same count once. Runs that something held up are repeated (see `disturbance`), and rows without enough
 * others are marked and left out; both are counted.
 *
 * A machine's speed drifts: before each measurement the profile's probe is timed, the same products on all ranks whatever
 * the layer. Errors are told as they are, and beside them those of the profile at the speed that the probe found while
 * a layer ran (`stepErrorAtSpeed`, `speed`): the difference is the machine's, the rest the model's.
 * Where other processes take turns with the engine, the probe waits for them otherwise than short passes do, and tells
 * little.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { calibrate, predictionQuality, randomShapes } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const around = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 };
 * const profile = await calibrate(engine, { layer: around });
 * const shapes = randomShapes(2, { around, topology: engine.topology });
 * const quality = await predictionQuality(engine, { profile, shapes });
 * console.assert(quality.agreement.tau > 0.95 && quality.stepError.typical < 0.01);
 * ```
 * @throws {SchemoeError} without shapes or profile, for a profile of another world, engine or machine, naming an unknown
 * option, for kinds of work that the profile does not have, and when the signal is aborted.
 */
export async function predictionQuality(
  engine: Engine,
  options: QualityOptions,
): Promise<PredictionQuality> {
  expect("predictionQuality", "engine", engine, anEngine);
  checkFields(options, OPTIONS, { what: "options", fail });
  const { profile, shapes, choices = COMPARED, repeats = 3, most = 4 * repeats } = options;
  const { seconds = Infinity, signal } = options;
  for (const [name, list] of Object.entries({ shapes, choices })) {
    if (!Array.isArray(list) || list.length === 0) fail(`${name} must be a list that is not empty`);
  }
  for (const [name, count] of Object.entries({ repeats, most })) {
    if (Number.isSafeInteger(count) && count >= 1) continue;
    fail(`${name} is ${quoted(count)}, not an integer from 1 on`);
  }
  if (!(typeof seconds === "number" && seconds > 0)) {
    fail(`seconds is ${quoted(seconds)}, not above 0`);
  }
  checkSignal(signal, fail);
  if (profile === undefined) fail("give the profile that predicts, as calibrate makes it");
  profileCosts(profile, engine.topology); // what is no profile is told before anything runs
  checkOrigin(profile, engine);
  if (choices.some(({ scheduler }) => scheduler === "auto")) {
    fail('with the scheduler "auto" each pass may run by other choices; name a scheduler');
  }
  using probe = profile.probe && !engine.modelled ? new SpeedProbe(engine) : undefined;
  const speedNow = probe && (async () => profile.probe!.seconds / await probe.seconds(signal));
  const rows: QualityRow[] = [];
  const configurations: Run["configuration"][] = [];
  const begin = performance.now();
  let done = 0;
  const line = progress(shapes.length * choices.length, "predict and measure");
  try {
    for (const [shape, config] of shapes.entries()) {
      if (performance.now() - begin > 1e3 * seconds) break;
      using layer = createLayer(engine, config);
      done++;
      const known = new Set<string>();
      const { all, speed } = await measure(layer, choices, { repeats, most, signal, speedNow });
      line.advance(choices.length, `layer ${shape + 1}`);
      for (const measured of all) {
        const order = measured.map(({ runs }) => orderOf(runs[0])).join("\n");
        if (known.has(order)) continue;
        known.add(order);
        configurations.push(measured[0].runs[0].configuration);
        rows.push(rowOf({ shape, name: measured[0].runs[0].name, measured, profile, speed }));
      }
    }
  } finally {
    await line.done();
  }
  const facts = [commonText(configurations), worldText(engine.topology, engine.timing)];
  return new PredictionQuality(rows, { shapes: done, repeats, facts });
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot judge predictions: ${problem}`);
}

interface MeasuredPass {
  /** Undisturbed runs first. */
  readonly runs: readonly Run[];
  readonly calm: number;
}

/**
 * Runs all choices in turn, so that a machine that becomes slower or faster meanwhile does so for all of them: their
 * differences are smaller than what its speed varies within seconds.
 */
async function measure(
  layer: MoeLayer,
  choices: readonly PassChoices[],
  { repeats, most, signal, speedNow }: {
    readonly repeats: number;
    readonly most: number;
    readonly signal?: AbortSignal;
    readonly speedNow?: () => Promise<number>;
  },
): Promise<{ readonly all: MeasuredPass[][]; readonly speed?: number }> {
  const measured = choices.map(() =>
    PASSES.map(() => ({ calm: [] as Run[], disturbed: [] as Run[] }))
  );
  const speeds: number[] = [];
  const open = (passes: (typeof measured)[number]) =>
    passes.some(({ calm }) => calm.length < repeats);
  for (let round = 0; round <= most && measured.some(open); round++) {
    for (const [i, choice] of choices.entries()) {
      if (!open(measured[i])) continue;
      if (speedNow && round > 0) speeds.push(await speedNow());
      for (const [j, pass] of PASSES.entries()) {
        const run = await layer[pass]({ ...choice, results: false, signal });
        if (round === 0) continue; // warms up
        measured[i][j][disturbance(run) ? "disturbed" : "calm"].push(run);
      }
    }
  }
  const all = measured.map((passes) =>
    passes.map(({ calm, disturbed }) => ({ runs: [...calm, ...disturbed], calm: calm.length }))
  );
  return { all, ...(speeds.length > 0 ? { speed: median(speeds) } : {}) };
}

function rowOf({ shape, name, measured, profile, speed }: {
  readonly shape: number;
  readonly name: string;
  readonly measured: readonly MeasuredPass[];
  readonly profile: MachineProfile;
  readonly speed?: number;
}): QualityRow {
  const calm = Math.min(...measured.map((pass) => pass.calm));
  const used = measured.map(({ runs }) => calm > 0 ? runs.slice(0, calm) : runs);
  const predictions = measured.map(({ runs }) => simulated(runs[0], profile));
  const secondsOf = (runs: readonly Run[]) => runs.reduce((sum, { makespan }) => sum + makespan, 0);
  const predicted = secondsOf(predictions);
  const atSpeedOf = () => {
    if (speed === undefined) return { predictedAtSpeed: predicted };
    const slowed = atSpeed(profile, speed);
    return {
      speed,
      predictedAtSpeed: secondsOf(measured.map(({ runs }) => simulated(runs[0], slowed))),
    };
  };
  const count = Math.min(...used.map((runs) => runs.length));
  return {
    shape,
    name,
    predicted,
    ...atSpeedOf(),
    bound: measured.reduce((sum, { runs }) => sum + boundOf(runs[0], profile), 0),
    measured: Array.from(
      { length: count },
      (_, i) => used.reduce((sum, runs) => sum + runs[i].makespan, 0),
    ),
    all: median(measured[0].runs.map((run) => run.makespan)) +
      median(measured[1].runs.map((run) => run.makespan)),
    disturbed: calm === 0,
    runs: measured.reduce((sum, { runs }) => sum + runs.length, 0),
    calmRuns: measured.reduce((sum, pass) => sum + pass.calm, 0),
    kinds: kindsOf(used.map((runs) => runs[0]), predictions),
  };
}

/** Seconds below which no schedule of a run's tasks can come, by a profile. */
function boundOf({ ran }: Run, profile: MachineProfile): number {
  return ran.reduce((sum, { program: { graph } }) => {
    const topology = profiledTopology(graph.topology, profile);
    return sum + lowerBound({ ...graph, topology }, profileCosts(profile, topology)).seconds;
  }, 0);
}

/** Seconds of each kind of task and lane, and until tasks began, means over ranks. */
function kindsOf(measured: readonly Run[], predictions: readonly Run[]): QualityRow["kinds"] {
  const sums = new Map<string, [number, number]>();
  const add = (run: Run, which: 0 | 1) => {
    for (const { program, events } of run.ran) {
      const { ranks } = program.graph.topology;
      const to = (key: string, seconds: number) => {
        const sum = sums.get(key) ?? [0, 0];
        sums.set(key, sum);
        sum[which] += seconds / ranks;
      };
      for (const one of observe(program, events)) {
        to(keyOf(program, one.task.id), takenBy(one));
        // what is paced makes up for it
        if (one.paced === 0) to("launch", one.launch);
      }
    }
  };
  for (const run of predictions) add(run, 0);
  for (const run of measured) add(run, 1);
  return [...sums].map(([what, [predicted, measured]]) => ({ what, predicted, measured }));
}

function keyOf({ graph }: Program, id: number): string {
  const { kind, lane } = graph.tasks[id];
  return lane === "compute" ? kind : `${kind} ${lane}`;
}
