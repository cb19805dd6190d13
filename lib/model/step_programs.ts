/** The Programs of a step: one, or where rows depend on routings one more for each gate. @module */
import type { Layer } from "../blocks/mod.ts";
import { checkedSplit } from "../chunking/split.ts";
import { evenLoads, largestLoad } from "../chunking/loads.ts";
import {
  paddedPlaces,
  type PassRows,
  slotLoads,
  splitOf,
  splitRows,
} from "../chunking/slot_loads.ts";
import type { Engine, RunOptions, Workspace } from "../engine.ts";
import { reassociates, type ResolvedChoices } from "../layer/choices.ts";
import { checkDispatch } from "../layer/check_dispatch.ts";
import { checkScoreGradient } from "../graph/score_buffers.ts";
import { Gathered, gatheredLoads, noChoices } from "../layer/gathered.ts";
import { GraphRunner } from "../layer/graph_runner.ts";
import type { PlannedGraph } from "../layer/memory_report.ts";
import { rowsKey } from "../layer/pass_graphs.ts";
import { passRows } from "../layer/pass_rows.ts";
import type { RanProgram } from "../layer/run.ts";
import { type GatheredChoices, nodeRows } from "../memory/mod.ts";
import { acrossLayers } from "../schedulers/across_layers.ts";
import type { TaskGraph } from "../types.ts";
import type { ModelShape } from "./config.ts";
import { CountedSteps } from "./counted_steps.ts";
import { lossGraph, stepGraph } from "./step_graph.ts";
import { StepParts } from "./step_parts.ts";
import { type Cut, cutsOf, type MoeRows, type StepOptions } from "./step_options.ts";
import { type ModelTensors, moePrefix, partPrefix } from "./tensors.ts";

/** Whose Programs they are. */
interface ProgramsOf {
  readonly engine: Engine;
  readonly shape: ModelShape;
  readonly tensors: ModelTensors;
  readonly workspace: Workspace;
}

/** What a pass over the model does. */
type Kind = "step" | "loss";

const GRAPHS: Readonly<Record<Kind, typeof stepGraph>> = { step: stepGraph, loss: lossGraph };

/** How a pass runs. */
export interface PassRun extends RunOptions {
  readonly kind: Kind;
  readonly choices: ResolvedChoices;
  readonly configuration: TaskGraph["configuration"];
  readonly bound: boolean;
}

/**
 * Makes the graphs of a model's passes and runs them one after another.
 *
 * How many rows a dropless layer has, and where those lie that cross once to a node, is known once its gate has run on
 * all ranks. A Program therefore ends with each of these gates, and the graph of the next one is made for the loads or
 * choices that were found. All that follows the last gate is one graph: experts of the last layer, head, the whole backward
 * pass, reductions and updates. Where rows are counted as the Program runs it is one, the same for all steps: see
 * {@linkcode CountedSteps}.
 */
export class StepPrograms {
  readonly #of: ProgramsOf;
  readonly #runner: GraphRunner;
  readonly #parts: StepParts;
  /** Names of buffers that several Programs of a pass use, by its key. */
  readonly #kept = new Map<string, ReadonlySet<string>>();
  /** What gates chose, by the prefix of their layer and microbatch. */
  readonly #gathered = new Map<string, Gathered>();
  readonly #counted: CountedSteps;

  constructor(of: ProgramsOf) {
    this.#of = of;
    const { engine, workspace, shape, tensors } = of;
    this.#parts = new StepParts(tensors);
    this.#counted = new CountedSteps(of);
    this.#runner = new GraphRunner(engine, workspace, 1 + cutsOf(shape, "node").length);
  }

  /** Graphs that have run and are kept, with the plans of their Programs' memory. */
  get planned(): PlannedGraph[] {
    return this.#runner.planned;
  }

  /**
   * Rows of each Mixture-of-Experts layer, by its place among the blocks, as far as they are known before any gate:
   * those of dropless layers for loads as equal as can be, those that cross once to a node for no choices.
   * @throws {SchemoeError} when rows cannot be split as chosen, and for layers whose tokens cannot cross once.
   */
  expected(choices: ResolvedChoices): ReadonlyMap<number, MoeRows> {
    const { chunking, dispatch } = choices;
    const { shape, engine } = this.#of;
    // A layer that cannot count ends a Program, and what layers before it counted is not known in the next one.
    const counts = shape.layers.every((block, index) =>
      !("moe" in block && block.moe.dropless) || this.#counted.split(index, choices)
    );
    return new Map(shape.layers.flatMap((block, index) => {
      if (!("moe" in block)) return [];
      const { moe, places } = block;
      checkDispatch({ layer: moe, engine }, choices);
      checkScoreGradient(moe, choices.compressor);
      const rows = moe.dropless ? evenRows(moe, engine.computes) : paddedPlaces(moe, places);
      const split = (counts ? this.#counted.split(index, choices) : undefined) ??
        { rows, chunks: checkedSplit(chunking, splitOf(moe, rows)) };
      return [[index, dispatch === "node" ? onceANode(moe, split, noChoices(moe)) : split]];
    }));
  }

  /** Runs the pass; the Programs that ran, in turn. */
  run(pass: PassRun): Promise<RanProgram[]> {
    return this.#counted.withRoom(() => this.#run(pass));
  }

  async #run({ kind, choices, configuration, bound, ...options }: PassRun): Promise<RanProgram[]> {
    const { shape, tensors } = this.#of;
    const { scheduler, allToAll, compressor, dispatch } = choices;
    const reassociate = kind === "step" && reassociates(choices);
    const expected = this.expected(choices);
    const countedOf = (block: number) => expected.get(block)!.rows.counted;
    const cuts = cutsOf(shape, dispatch, countedOf);
    const found = new Map<string, MoeRows>();
    const how: StepOptions = {
      allToAll,
      compressor,
      dispatch,
      configuration,
      reassociate,
      rowsOf: (block, part) =>
        found.get(`${block} ${part}`) ??
          this.#counted.inMicrobatch(expected.get(block)!, block, part),
      parts: this.#parts,
    };
    const common = [
      kind,
      dispatch,
      JSON.stringify(
        [...expected.values()].map(({ rows: { counted }, chunks }) => [chunks, counted?.[0]]),
      ),
      allToAll,
      compressor.dispatch,
      compressor.combine,
      `${reassociate}`,
    ];
    const kept = cuts.length > 0 ? this.#keptBy(kind, common.slice(0, 3).join(), how) : undefined;
    const ran: RanProgram[] = [];
    for (let program = 0; program <= cuts.length; program++) {
      const rows = [...found.values()];
      const parts = [...common, program, ...rows.flatMap(keyOf)];
      const routed = rows.some(({ rows: { loads }, node }) => loads ?? node);
      const make = () => GRAPHS[kind](shape, tensors, { ...how, program, kept });
      const known = this.#runner.graph({ parts, routed }, make);
      ran.push(await this.#runner.run(known, acrossLayers(scheduler), { ...options, bound }));
      if (program < cuts.length) {
        const { block, microbatch } = cuts[program];
        const routed = { choices, expected: expected.get(block)! };
        found.set(`${block} ${microbatch}`, await this.#routed(cuts[program], routed));
      }
    }
    return ran;
  }

  /** Rows of a layer whose gate has run; where they cross once, tables for kernels are written too. */
  async #routed({ block: index, microbatch }: Cut, { choices, expected }: {
    readonly choices: ResolvedChoices;
    readonly expected: MoeRows;
  }): Promise<MoeRows> {
    const { engine, shape, workspace } = this.#of;
    const block = shape.layers[index];
    if (!("moe" in block)) throw new Error(`block ${index} has no experts`);
    const { moe: layer } = block;
    const of = {
      layer,
      engine,
      workspace,
      prefix: partPrefix(shape, microbatch) + moePrefix(index),
    };
    const split = (rows: PassRows): MoeRows => ({
      rows,
      chunks: checkedSplit(choices.chunking, splitOf(layer, rows)),
    });
    if (choices.dispatch === "choice") return split(passRows(of));
    let gathering = this.#gathered.get(of.prefix);
    if (!gathering) this.#gathered.set(of.prefix, gathering = new Gathered(of));
    const gathered = gathering.take();
    const counted = gatheredLoads(layer, gathered);
    const rows = layer.dropless ? split(passRows({ ...of, counted })) : expected;
    const routed = onceANode(layer, rows, gathered);
    await gathering.write(routed.node);
    return routed;
  }

  /** Buffers that tasks of several Programs use; the names do not depend on the loads. */
  #keptBy(kind: Kind, key: string, how: StepOptions): ReadonlySet<string> {
    let kept = this.#kept.get(key);
    if (kept) return kept;
    const { shape, tensors } = this.#of;
    const programs =
      cutsOf(shape, how.dispatch, (block) => how.rowsOf(block, 0).rows.counted).length + 1;
    const seen = new Map<string, number>();
    const several = new Set<string>();
    for (let program = 0; program < programs; program++) {
      for (const { uses = [] } of GRAPHS[kind](shape, tensors, { ...how, program }).tasks) {
        for (const name of uses) {
          if ((seen.get(name) ?? program) !== program) several.add(name);
          seen.set(name, program);
        }
      }
    }
    this.#kept.set(key, kept = several);
    return kept;
  }
}

/**
 * Rows of a dropless layer with loads as equal as can be, laid out as unequal ones are. Where gates choose, those that
 * they choose take their place, so that the even ones limit no number of chunks.
 */
function evenRows(layer: Parameters<typeof evenLoads>[0], chosen: boolean): PassRows {
  const loads = slotLoads(layer, evenLoads(layer));
  return {
    capacity: Math.max(1, largestLoad(loads)),
    loads,
    ...(chosen ? { routed: true } : {}),
  };
}

/** The same rows for what gates chose, where each token crosses once to a node. */
function onceANode(layer: Layer, { rows, chunks }: MoeRows, gathered: GatheredChoices) {
  const { capacity, loads, limit } = splitRows(layer, rows, chunks);
  const node = nodeRows({ layer, capacity, chunks, loads, limit, gathered });
  return { rows, chunks, node };
}

const keyOf = ({ rows, chunks, node }: MoeRows) => [
  `${rowsKey(rows)} ${JSON.stringify(chunks)}`,
  ...(node ? [node] : []),
];
