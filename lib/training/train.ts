/** Training of a model over many steps. @module */
import { aModel, expect } from "../arguments/mod.ts";
import { openSafetensors } from "../files/mod.ts";
import { replaceable } from "../files/replace_file.ts";
import { NotFiniteError } from "../model/checkpoint.ts";
import type { MoeModel, TrainingStep } from "../model/mod.ts";
import { progress } from "../timeline/mod.ts";
import { communication } from "../timeline/measures/communication.ts";
import { SchemoeError } from "../types.ts";
import { HISTORY, type History, historyOf } from "./history.ts";
import {
  progressNote,
  type ResolvedTraining,
  resolveTraining,
  type TrainingProgress,
  type TrainOptions,
} from "./options.ts";
import { promisedTraining, TrainingRun } from "./result.ts";
import type { SpeedRow, StepRow, ValidationRow } from "./step_row.ts";
import { Stop } from "./stop.ts";
import { validationLoss } from "./validate.ts";

/**
 * Trains a model up to a number of steps. Step n sees the sequences that `data` has for n, so that a run which goes
 * on from its checkpoint, even after `kill -9`, has the same losses bit for bit.
 *
 * The run ends after the step in progress, with a checkpoint, when `signal` is aborted or, in a script, at Ctrl+C
 * (the second one ends the process). A loss that is not finite ends it too, and so does a parameter or a state of the
 * optimizer when a checkpoint is due: the checkpoint is then the one before.
 *
 * ```ts
 * import { createModel } from "@schemoe/lab/model";
 * import { openEngine } from "@schemoe/lab/engines";
 * import { textData, train } from "@schemoe/lab/training";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const data = textData("to be, or not to be, that is the question. ".repeat(40));
 * using model = createModel(engine, {
 *   vocabulary: data.vocabulary, context: 16, batch: 4, modelDim: 16, attention: { heads: 2 },
 *   layers: [{ moe: { experts: 4, hiddenDim: 16 } }], rate: 0.01,
 * });
 * const run = await train(model, { data, steps: 20, compressor: "int8" });
 * console.assert(run.steps.length === 20 && run.steps[19].loss < run.steps[0].loss);
 * run; // a cell's last value: the curve of the loss
 * ```
 * @throws {SchemoeError} for a wrong option, a model that has done its steps already without a checkpoint of them, a
 * checkpoint of another model or step, and with status 3 when a signal
 * ended it.
 */
export function train(model: MoeModel, options: TrainOptions): Promise<TrainingRun> {
  expect("train", "model", model, aModel);
  return promisedTraining(trained(model, options));
}

async function trained(model: MoeModel, options: TrainOptions): Promise<TrainingRun> {
  const training = new Training(model, resolveTraining(model, options));
  using stop = new Stop(options);
  return await training.run(stop);
}

class Training {
  readonly #steps: StepRow[] = [];
  readonly #speeds: SpeedRow[] = [];
  readonly #validations: ValidationRow[] = [];
  readonly #begun = performance.now();
  /** Seconds of the parts of this run before its checkpoint. */
  #before = 0;
  #saved = -1;
  #configuration: TrainingRun["configuration"] = {};

  constructor(readonly model: MoeModel, readonly options: ResolvedTraining) {}

  async run(stop: Stop): Promise<TrainingRun> {
    const { model, options } = this;
    const { steps, reportEvery, checkpointEvery, validateEvery } = options;
    await this.#resume();
    if (model.steps >= steps && this.#steps.length === 0) {
      throw new SchemoeError(
        `Cannot train the model: it has done ${model.steps} steps, and steps, ${steps}, counts them too; ` +
          `for ${steps} more give ${model.steps + steps}`,
      );
    }
    const reports = this.#reports();
    let stopped: string | undefined;
    let [mark, since] = [performance.now(), model.steps];
    while (model.steps < steps && stopped === undefined) {
      const step = await this.#step();
      const done = model.steps;
      if (!Number.isFinite(step.loss)) stopped = `the loss of step ${step.step} is ${step.loss}`;
      else if (stop.aborted) stopped = this.#reason(stop.aborted);
      else if (stop.late) stopped = `${options.seconds} s are over`;
      const last = done === steps || stopped !== undefined;
      const every = (count: number) => count > 0 && (last || done % count === 0);
      const report = every(reportEvery);
      const speed = report ? this.#speed(step, (performance.now() - mark) / (done - since)) : null;
      const validate = every(validateEvery) && !stop.aborted && Number.isFinite(step.loss);
      const validation = validate ? await this.#validate() : undefined;
      if (every(checkpointEvery) && Number.isFinite(step.loss)) {
        stopped = await this.#save() ?? stopped;
      }
      if (speed) reports.report({ ...speed, steps, last: this.#steps.at(-1)!, validation });
      if (report || validation) [mark, since] = [performance.now(), done];
    }
    await reports.done();
    if (stop.aborted) this.#fail(stop.aborted);
    return new TrainingRun({
      name: options.choices.name ?? options.data.name,
      history: this.#history,
      configuration: this.#configuration,
      stopped,
    });
  }

  get #history(): History {
    return {
      steps: this.#steps,
      speeds: this.#speeds,
      validations: this.#validations,
      seconds: this.#before + (performance.now() - this.#begun) / 1e3,
    };
  }

  /** Goes on from the checkpoint, where there is one. */
  async #resume(): Promise<void> {
    const { model, options: { checkpoint } } = this;
    if (checkpoint === undefined || !await replaceable(checkpoint)) return;
    using file = await openSafetensors(checkpoint);
    const step = Number(file.metadata.step);
    if (model.steps > 0 && model.steps !== step) {
      throw new SchemoeError(
        `Cannot train the model: it has done ${model.steps} steps, its checkpoint ${checkpoint} ${step}`,
      );
    }
    const history = historyOf(file.metadata);
    await model.load(checkpoint);
    this.#saved = step;
    this.#before = history.seconds;
    this.#steps.push(...history.steps);
    this.#speeds.push(...history.speeds);
    this.#validations.push(...history.validations);
  }

  async #step(): Promise<TrainingStep> {
    const { model, options: { data, choices } } = this;
    const { topology: { ranks }, batch, context } = model.shape;
    const tokens = data.batch({ step: model.steps, sequences: ranks * batch, context });
    const step = await model.step(tokens, choices);
    const { crossEntropy, loss, gradNorm, layerLoads } = step;
    this.#configuration = { ...step.configuration, data: data.name };
    this.#steps.push({
      step: step.step,
      loss: loss!,
      gradNorm: gradNorm!,
      rate: step.rate,
      crossEntropy: crossEntropy!.reduce((a, b) => a + b, 0) / ranks,
      loads: layerLoads!.map((loads) => summed(loads, ranks)),
    });
    return step;
  }

  #speed(step: TrainingStep, milliseconds: number): SpeedRow {
    const { topology: { ranks }, batch, context } = this.model.shape;
    const { total, hidden } = communication(step.timeline);
    const row = {
      step: this.model.steps,
      tokensPerSecond: 1e3 * ranks * batch * context / milliseconds,
      ...(total > 0 ? { hidden: hidden / total } : {}),
    };
    this.#speeds.push(row);
    return row;
  }

  async #validate(): Promise<ValidationRow> {
    const { model, options: { data, validationSequences, choices } } = this;
    const { name: _, ...how } = choices;
    const loss = await validationLoss(model, data, { ...how, sequences: validationSequences });
    const row = { step: model.steps, loss };
    this.#validations.push(row);
    return row;
  }

  /** Why the run cannot go on, where that is so: the checkpoint is then the one before. */
  async #save(): Promise<string | undefined> {
    const { model, options: { checkpoint } } = this;
    if (checkpoint === undefined || this.#saved === model.steps) return;
    try {
      await model.save(checkpoint, { [HISTORY]: JSON.stringify(this.#history) }, { finite: true });
    } catch (error) {
      if (!(error instanceof NotFiniteError)) throw error;
      const { tensor, value } = error;
      return `after step ${model.steps - 1} a value of "${tensor}" is ${value}`;
    }
    this.#saved = model.steps;
  }

  #reports(): { report(progress: TrainingProgress): void; done(): Promise<void> } {
    const { model, options: { progress: given, steps, choices } } = this;
    const done = () => Promise.resolve();
    if (given) return { report: given, done };
    if (given === false || model.steps >= steps) return { report: () => {}, done };
    const line = progress(steps - model.steps, choices.name ?? "step");
    let [shown, note] = [model.steps, ""];
    return {
      report(progress) {
        note = progressNote(progress);
        line.advance(progress.step - shown, note);
        shown = progress.step;
      },
      done: () => line.done(note),
    };
  }

  #reason = ({ reason }: AbortSignal): string =>
    (reason as Partial<Error> | undefined)?.message ?? String(reason);

  #fail(signal: AbortSignal): never {
    const { model, options: { checkpoint } } = this;
    const kept = checkpoint === undefined
      ? '; a "checkpoint" would go on from there, "seconds" instead of a signal ends with the curve so far'
      : `; ${checkpoint} goes on from there`;
    throw new SchemoeError(
      `Training was stopped after ${model.steps} ${model.steps === 1 ? "step" : "steps"}: ${
        this.#reason(signal)
      }${kept}`,
      { status: 3, cause: signal.reason },
    );
  }
}

function summed(loads: Int32Array, ranks: number): number[] {
  const rows = loads.length / ranks;
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let rank = 0; rank < ranks; rank++) sum += loads[rank * rows + row];
    return sum;
  });
}
