/** Options of a training run, checked before it begins. @module */
import { checkFields } from "../arguments/mod.ts";
import { checkSignal } from "../layer/check_signal.ts";
import type { PassChoices } from "../layer/mod.ts";
import type { MoeModel } from "../model/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted, unawaited } from "../words.ts";
import type { TrainingData } from "./data.ts";
import type { SpeedRow, StepRow, ValidationRow } from "./step_row.ts";

/** What happened since the last report. */
export interface TrainingProgress extends SpeedRow {
  /** Steps of the whole run. */
  readonly steps: number;
  /** The step that was done last. */
  readonly last: StepRow;
  /** The validation after it, where there was one. */
  readonly validation?: ValidationRow;
}

/**
 * How a model is trained; with the choices of each step, such as `compressor` and `scheduler`: those of `tune`
 * (`{ ...tuned.backward }`), or `scheduler: "auto"`, which tries some out in the first steps.
 */
export interface TrainOptions extends Omit<PassChoices, "bound" | "repeats" | "results"> {
  /** Sequences to train on, as `textData`, `textFile` and `randomTokens` give them. */
  readonly data: TrainingData;
  /** Steps of the whole run: those that the model has done, as before a checkpoint, included. */
  readonly steps: number;
  /** Steps between two validations, one more at the end; default a tenth of all, 0 for none. */
  readonly validateEvery?: number;
  /** Sequences of a validation, rounded up to whole batches; default 64. */
  readonly validationSequences?: number;
  /** File in which the run is kept: read first where it is there, written on the way and at the end. */
  readonly checkpoint?: string | URL;
  /** Steps between two checkpoints; default a tenth of all. */
  readonly checkpointEvery?: number;
  /** Steps between two reports; default a twentieth of all. */
  readonly reportEvery?: number;
  /** Gets each report; default: one line in the notebook or terminal that is written over. `false` for none. */
  readonly progress?: false | ((progress: TrainingProgress) => void);
  /** Aborting it ends the run after the step in progress, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Seconds after which the run ends likewise; default none. */
  readonly seconds?: number;
}

/** The same with defaults, and the choices of a step apart. */
export interface ResolvedTraining extends
  Required<
    Pick<
      TrainOptions,
      | "data"
      | "steps"
      | "validateEvery"
      | "validationSequences"
      | "checkpointEvery"
      | "reportEvery"
    >
  >,
  Pick<TrainOptions, "checkpoint" | "seconds" | "progress" | "signal"> {
  readonly choices: PassChoices;
}

const OWN = [
  "data",
  "steps",
  "validateEvery",
  "validationSequences",
  "checkpoint",
  "checkpointEvery",
  "reportEvery",
  "progress",
  "signal",
  "seconds",
];
const CHOICES = [
  "scheduler",
  "allToAll",
  "compressor",
  "chunks",
  "timeLimit",
  "checkNumbers",
  "name",
  "dispatch",
];

/** @throws {SchemoeError} naming the first option that is wrong. */
export function resolveTraining(model: MoeModel, options: TrainOptions): ResolvedTraining {
  if (typeof options !== "object" || options === null) {
    fail(`give an object with data and steps, got ${quoted(options)}`);
  }
  const known = [...OWN, ...CHOICES];
  checkFields(options, known, { what: "options", fail });
  const { data, steps, checkpoint, signal, seconds, progress } = options;
  if (typeof data?.batch !== "function") {
    fail(`data must have a function batch, as textData and randomTokens make it${unawaited(data)}`);
  }
  if (data.vocabulary > model.shape.vocabulary) {
    fail(
      `the data "${data.name}" has ${data.vocabulary} different tokens, the model ` +
        model.shape.vocabulary,
    );
  }
  if (!model.engine.computes) fail(`the engine ${model.engine.kind} computes no values`);
  const {
    validateEvery = data.validation ? Math.ceil(steps / 10) : 0,
    validationSequences = 64,
    checkpointEvery = Math.ceil(steps / 10),
    reportEvery = Math.ceil(steps / 20),
  } = options;
  const counts = { steps, validationSequences, checkpointEvery, reportEvery };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
  if (!Number.isInteger(validateEvery) || validateEvery < 0) {
    fail(`validateEvery must be an integer of at least 0, got ${quoted(validateEvery)}`);
  }
  if (validateEvery > 0 && !data.validation) fail(`the data "${data.name}" has no validation`);
  if (checkpoint !== undefined && (typeof checkpoint !== "string" || checkpoint === "")) {
    fail(`checkpoint must be the path of a file, got ${quoted(checkpoint)}`);
  }
  checkSignal(signal, fail);
  if (seconds !== undefined && !(typeof seconds === "number" && seconds > 0)) {
    fail(`seconds must be a positive number, got ${quoted(seconds)}`);
  }
  if (progress !== undefined && progress !== false && typeof progress !== "function") {
    fail(`progress must be a function or false, got ${quoted(progress)}`);
  }
  const choices = Object.fromEntries(
    Object.entries(options).filter(([key]) => CHOICES.includes(key)),
  );
  return {
    data,
    steps,
    validateEvery,
    validationSequences,
    checkpoint,
    checkpointEvery,
    reportEvery,
    progress,
    signal,
    seconds,
    choices,
  };
}

/** Text of a report beside its step: `loss 2.5123 · validation 2.4711 · 1820 tokens/s · 64 % hidden`. */
export function progressNote({ last, validation, tokensPerSecond, hidden }: TrainingProgress) {
  const speed = tokensPerSecond >= 1e4
    ? `${(tokensPerSecond / 1e3).toPrecision(3)}k`
    : tokensPerSecond.toFixed(0);
  return [
    `loss ${last.loss.toFixed(4)}`,
    ...(validation ? [`validation ${validation.loss.toFixed(4)}`] : []),
    `${speed} tokens/s`,
    ...(hidden === undefined ? [] : [`${Math.round(100 * hidden)} % of communication hidden`]),
  ].join(" · ");
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot train the model: ${problem}`);
}
