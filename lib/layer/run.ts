/** One pass that ran: its results, its timeline, and how it shows itself. @module */
import type { Bound } from "../costs/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import type { ResolvedChoices } from "./choices.ts";
import { concatTimelines, makeTimeline, ShownRun, type Timeline } from "../timeline/mod.ts";
import type { Costs, EventTable, Pass, Program } from "../types.ts";

/** One Program of a pass with the times of its operations. */
export interface RanProgram {
  readonly program: Program;
  readonly events: EventTable;
  /** Times of its tasks alone, and what they bound; absent when it was not asked for. */
  readonly costs?: Costs;
  readonly bound?: Bound;
}

/** The layer of a run and what was chosen for it. */
export interface RunSetup {
  readonly layer: Layer;
  readonly choices: ResolvedChoices;
}

/** What a {@linkcode Run} is made of. */
export interface RunRecord {
  readonly name: string;
  readonly pass: Pass;
  readonly ran: readonly RanProgram[];
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
  readonly setup?: RunSetup;
  /** [ranks, tokens, modelDim]; undefined from an engine that computes no values. */
  readonly output?: Float32Array;
  /** [ranks]. */
  readonly auxLoss?: Float32Array;
  /** By name of the tensor: `x`, `gate.weight`, `experts.w1`, ... */
  readonly gradients?: Readonly<Record<string, Float32Array>>;
}

/** A pass that ran. As a cell's last value it shows its Gantt chart and its verdict. */
export class Run extends ShownRun {
  readonly name: string;
  readonly pass: Pass;
  readonly configuration: RunRecord["configuration"];
  readonly setup?: RunSetup;
  readonly output?: Float32Array;
  readonly auxLoss?: Float32Array;
  readonly gradients?: RunRecord["gradients"];
  readonly ran: readonly RanProgram[];
  #timeline?: Timeline;

  constructor(record: RunRecord) {
    super();
    this.name = record.name;
    this.pass = record.pass;
    this.configuration = record.configuration;
    this.setup = record.setup;
    this.ran = record.ran;
    this.output = record.output;
    this.auxLoss = record.auxLoss;
    this.gradients = record.gradients;
  }

  /** One row for each operation; see `makeTimeline`. */
  get timeline(): Timeline {
    return this.#timeline ??= joined(this.name, this.ran);
  }

  /** Seconds below which no schedule of this graph can come; undefined when it was not asked for. */
  get bound(): number | undefined {
    const bounds = this.ran.map(({ bound }) => bound?.seconds);
    return bounds.includes(undefined) ? undefined : bounds.reduce<number>((sum, b) => sum + b!, 0);
  }

  /** What makes the bound: a lane, a processor, or the longest chain. */
  get boundLimit(): string | undefined {
    return this.bound === undefined ? undefined : this.ran.at(-1)?.bound?.limit;
  }
}

/** Timelines of the Programs of a pass, one after the other. */
function joined(name: string, ran: readonly RanProgram[]): Timeline {
  let offset = 0;
  const parts = ran.map(({ program, events }) => {
    const part = makeTimeline(program, events, { name, offset });
    offset += events.end.reduce((latest, end) => Math.max(latest, end), 0);
    return part;
  });
  return parts.length === 1 ? parts[0] : concatTimelines(...parts);
}
