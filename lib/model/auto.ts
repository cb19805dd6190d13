/** `scheduler: "auto"` of a model: steps that try out candidates, then keep to the best one. @module */
import {
  type Candidate,
  candidateName,
  candidatesOf,
  type PassChoices,
  rankCandidates,
  type Run,
} from "../layer/mod.ts";
import { PassTuner } from "../layer/auto/pass_tuner.ts";
import type { ModelShape } from "./config.ts";

/** Candidates that are measured, the best by prediction, each so often; how far times may drift before all is tried again. */
const MEASURED = 6;
const LIMITS = { repeats: 3, drift: 0.2 };
/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;

/** What a step runs by. */
export interface AutoStep {
  readonly choices: Candidate;
  /** For its timeline. */
  readonly name: string;
}

/** Trials of steps, and the choice that they lead to. */
export class StepTuner {
  #tuner?: PassTuner;
  #fixed = "";

  /** @param predict a step on an engine that only computes times. */
  constructor(
    readonly shape: ModelShape,
    readonly predict: (choices: PassChoices) => Promise<Run>,
  ) {}

  /** Best by what was measured so far; undefined before the first step. */
  get choices(): Candidate | undefined {
    return this.#tuner?.chosen ?? this.#tuner?.next.choices;
  }

  /** Of the next step; what the user chose himself stays as it is. */
  async next(options: PassChoices): Promise<AutoStep> {
    const { allToAll, compressor, chunks } = options;
    const fixed = { allToAll, compressor, chunks };
    const text = JSON.stringify(Object.values(fixed));
    if (text !== this.#fixed) this.#tuner = undefined;
    this.#fixed = text;
    this.#tuner ??= await this.#plan(fixed);
    const { choices, why, trial, most } = this.#tuner.next;
    const what = candidateName(choices);
    return {
      choices,
      name: why === "trial" ? `auto, trial ${trial} of up to ${most}: ${what}` : `auto: ${what}`,
    };
  }

  /** Takes the seconds of that step. */
  tell(seconds: number): void {
    if (this.#tuner?.tell(seconds) === "drift") this.#tuner = undefined;
  }

  async #plan(fixed: PassChoices): Promise<PassTuner> {
    const { topology, layers } = this.shape;
    const places = layers.flatMap((block) => "moe" in block ? [block.places] : []);
    const capacity = Math.min(...places);
    // without another rank, or a layer of experts, no order is better than another
    const grid = topology.ranks > 1 && places.length > 0
      ? {}
      : { schedulers: ["sequential"], chunks: [1] };
    const all = candidatesOf("backward", { fixed, grid, topology, capacity });
    const step = (choices: PassChoices = {}) => this.predict(choices);
    const runner = { forward: step, backward: step };
    const { ranked } = await rankCandidates(runner, "backward", all, { margin: MARGIN });
    return new PassTuner(ranked.slice(0, MEASURED), LIMITS);
  }
}
