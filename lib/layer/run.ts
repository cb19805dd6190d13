/** One pass that ran: its results, its timeline, and how it shows itself. @module */
import { aText, expect, listOf, record, something } from "../arguments/mod.ts";
import type { Bound } from "../costs/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import type { ResolvedChoices } from "./choices.ts";
import type { BackwardOptions, ForwardOptions } from "./layer_options.ts";
import { concatTimelines, makeTimeline, ShownRun, type Timeline } from "../timeline/mod.ts";
import { recordedRouting } from "../routing/recorded.ts";
import type { RouterTrace } from "../routing/types.ts";
import type { Costs } from "../costs/types.ts";
import type { Engine, EventTable, Program } from "../engine.ts";
import { type Pass, SchemoeError, type TaskGraph } from "../types.ts";
import type { Results } from "./results.ts";
import type { TensorValues } from "./transfer.ts";
import { togetherRepeats } from "./repeats.ts";

const RECORD = record("a record of a run { name, pass, configuration, ran }", {
  name: aText,
  pass: aText,
  configuration: something,
  ran: listOf(something, "Programs that ran"),
});

/** One Program of a pass with the times of its operations. */
export interface RanProgram {
  /** What ran, in which order. */
  readonly program: Program;
  /** When each of its operations ran; of the median run where there were several. */
  readonly events: EventTable;
  /** Times of its tasks alone, and their bound; absent when it was not asked for. */
  readonly costs?: Costs;
  /** Least time of any order of this graph, and what makes it. */
  readonly bound?: Bound;
  /** Of times that were measured: the largest bound that one of the measurements alone would give, seconds. */
  readonly boundMost?: number;
  /** The runs in which its tasks were measured alone. */
  readonly alone?: { readonly program: Program; readonly runs: readonly EventTable[] };
  /** Seconds of each run where it ran several times; `events` are those of the median. */
  readonly repeats?: readonly number[];
}

/** What runs the passes of a layer. */
export interface LayerPasses {
  /** Engine on which they run. */
  readonly engine: Engine;
  /** The checked layer. */
  readonly layer: Layer;
  /** Runs the forward pass. */
  forward(options?: ForwardOptions): Promise<Run>;
  /** Runs the backward pass of the last forward one. */
  backward(options?: BackwardOptions): Promise<Run>;
}

/** The layer of a run and its choices. */
export interface RunSetup {
  /** The layer with all its defaults filled in. */
  readonly layer: Layer;
  /** Scheduler, all-to-all, codecs and chunks as values. */
  readonly choices: ResolvedChoices;
  /** What ran it, and runs it again under other choices. */
  readonly passes: LayerPasses;
}

/** Fields of a {@linkcode Run}. */
export interface RunRecord {
  /** What charts and tables call it. */
  readonly name: string;
  /** Forward, backward, or a whole training step. */
  readonly pass: Pass;
  /** Its Programs, one after another; most passes have one. */
  readonly ran: readonly RanProgram[];
  /** Choices, sizes and engine, for captions and saved runs; a function makes it when it is first read. */
  readonly configuration: TaskGraph["configuration"] | (() => TaskGraph["configuration"]);
  /** The layer and its choices; absent where graphs were built by hand. */
  readonly setup?: RunSetup;
  /** Its results; absent from an engine that computes no values. */
  readonly results?: Results;
  /** Names of the gradients in the results, by the name of the tensor: `x`, `gate.weight`, `experts.w1`, ... */
  readonly gradientNames?: Readonly<Record<string, string>>;
}

const LOSS = "loss.";

/** A pass that ran. As a cell's last value it shows its Gantt chart and its verdict. */
export class Run extends ShownRun {
  /** What charts and tables call it. */
  readonly name: string;
  /** Forward, backward, or a whole training step. */
  readonly pass: Pass;
  /** The layer and its choices; absent where graphs were built by hand. */
  readonly setup?: RunSetup;
  #configuration: RunRecord["configuration"];
  readonly #results?: Results;
  readonly #gradientNames: RunRecord["gradientNames"];
  #gradients?: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
  /** Its Programs with the times of their operations; most passes have one. */
  readonly ran: readonly RanProgram[];
  #timeline?: Timeline;

  /** Made by a layer, a stack or {@linkcode timedRun}, not by hand. */
  constructor(record: RunRecord) {
    super();
    expect("new Run", "record", record, RECORD);
    this.name = record.name;
    this.pass = record.pass;
    this.#configuration = record.configuration;
    this.setup = record.setup;
    this.ran = record.ran;
    this.#results = record.results;
    this.#gradientNames = record.gradientNames;
  }

  /** Choices, sizes and engine, as its caption tells them. */
  get configuration(): TaskGraph["configuration"] {
    if (typeof this.#configuration === "function") this.#configuration = this.#configuration();
    return this.#configuration;
  }

  /**
   * Output [ranks, tokens, modelDim] of a forward pass, read when first asked for; undefined for a backward
   * pass and from an engine that computes no values.
   * @throws {SchemoeError} when a later pass has overwritten it (`results: true` keeps a copy).
   */
  get output(): Float32Array<ArrayBuffer> | undefined {
    return this.#results?.has("y") ? this.#results.read("y") : undefined;
  }

  /** Losses on the routing [ranks] of a forward pass, likewise. */
  get auxLoss(): Float32Array<ArrayBuffer> | undefined {
    return this.#results?.has("aux_loss") ? this.#results.read("aux_loss") : undefined;
  }

  /** Losses of a forward pass without their weights, [ranks] each, by name; `auxLoss` is their weighted sum. */
  get losses(): Readonly<Record<string, Float32Array<ArrayBuffer>>> | undefined {
    const results = this.#results;
    if (!results?.has("aux_loss")) return undefined;
    const names = results.names.filter((name) => name.startsWith(LOSS));
    return Object.fromEntries(names.map((name) => [name.slice(LOSS.length), results.read(name)]));
  }

  /**
   * Choices of each row of the gate of a forward pass, before dropping: [ranks, experts and experts without
   * computation].
   */
  get loads(): Int32Array<ArrayBuffer> | undefined {
    return this.#results?.has("gate.loads") ? this.#results.readCounts("gate.loads") : undefined;
  }

  /**
   * Which experts the tokens of a forward pass went to, before dropping, likewise: to be replayed (`replayed`),
   * counted (`loadsOf`) or written (`megatronTrace`). Choices without an expert are -1.
   */
  get routing(): RouterTrace | undefined {
    const [results, setup] = [this.#results, this.setup];
    if (!setup || !results?.has("gate.choices")) return undefined;
    const { experts, topK, topology: { ranks }, rankTokens } = setup.layer;
    const choices = results.readCounts("gate.choices");
    return recordedRouting({ name: this.name, ranks, experts, topK, choices, rankTokens });
  }

  /**
   * Gradients of a backward pass by name of the tensor: `x`, `gate.weight`, `experts.w1`, ...; each is read when
   * first asked for, likewise.
   */
  get gradients(): Readonly<Record<string, Float32Array<ArrayBuffer>>> | undefined {
    const [results, names] = [this.#results, this.#gradientNames];
    if (!results || !names) return undefined;
    return this.#gradients ??= Object.defineProperties(
      {},
      Object.fromEntries(
        Object.entries(names).map(([name, tensor]) => [
          name,
          { get: () => results.read(tensor), enumerable: true },
        ]),
      ),
    );
  }

  /**
   * A result off the event loop, for large ones: `y`, `aux_loss`, or `grad.` and the name of a tensor.
   * @param options.stored bfloat16 as its bits (Uint16Array) instead of floats; default false.
   * @throws {SchemoeError} for an unknown name, and when a later pass has overwritten it.
   */
  async read(name: string, options: { stored?: boolean } = {}): Promise<TensorValues> {
    if (!this.#results) {
      throw new SchemoeError(`Cannot read "${name}": the run "${this.name}" has no values`);
    }
    const tensor = name.startsWith("grad.") && this.#gradientNames?.[name.slice(5)] || name;
    return await this.#results.readAsync(tensor, options);
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

  /** Seconds up to which the bound could be, by the spread of the times that were measured alone. */
  get boundMost(): number | undefined {
    if (this.bound === undefined || this.ran.every(({ boundMost }) => boundMost === undefined)) {
      return undefined;
    }
    return this.ran.reduce((sum, { bound, boundMost }) => sum + (boundMost ?? bound!.seconds), 0);
  }

  /** Makespans in seconds of all runs where the pass ran several times (`repeats`). */
  get repeats(): readonly number[] | undefined {
    return togetherRepeats(this.ran);
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
