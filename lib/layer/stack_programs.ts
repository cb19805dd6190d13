/** The Programs of a stack's passes: one, or forward where tokens cross once to a node one more than layers. @module */
import { capacity, type Layer } from "../blocks/mod.ts";
import { paddedPlaces, splitOf, splitRows } from "../chunking/slot_loads.ts";
import { checkedSplit } from "../chunking/split.ts";
import type { Engine, Workspace } from "../engine.ts";
import { backwardStack, forwardStack, forwardStackPart, type StackShape } from "../graph/layers.ts";
import type { PassOptions } from "../graph/mod.ts";
import { type GatheredChoices, type NodeRows, nodeRows } from "../memory/mod.ts";
import { acrossLayers } from "../schedulers/across_layers.ts";
import type { Chunk, Pass, TaskGraph } from "../types.ts";
import { checkDispatch } from "./check_dispatch.ts";
import { checkScoreGradient } from "../graph/score_buffers.ts";
import { type PassChoices, reassociates, type ResolvedChoices } from "./choices.ts";
import { configurationOf, engineFacts } from "./configuration.ts";
import { Gathered } from "./gathered.ts";
import { GraphRunner } from "./graph_runner.ts";
import type { PlannedGraph } from "./memory_report.ts";
import type { RanProgram } from "./run.ts";

/** Whose Programs they are. */
interface ProgramsOf {
  readonly engine: Engine;
  readonly layer: Layer;
  readonly shape: StackShape;
  readonly workspace: Workspace;
}

/** What a forward pass leaves for backward. */
export interface KeptOfStack {
  readonly chunks: readonly Chunk[];
  /** What the gate of each layer chose, where tokens crossed once to a node. */
  readonly gathered?: readonly GatheredChoices[];
}

/** Options of a pass, and which it is. */
interface StackPass extends PassOptions {
  readonly pass: Pass;
}

/** Makes the graphs of a stack's passes and runs them. */
export class StackPrograms {
  readonly #of: ProgramsOf;
  readonly #runner: GraphRunner;
  readonly #gathered: readonly Gathered[];

  constructor(of: ProgramsOf) {
    this.#of = of;
    const { engine, layer, workspace, shape: { layers } } = of;
    this.#runner = new GraphRunner(engine, workspace, 2 + layers);
    this.#gathered = Array.from(
      { length: layers },
      (_, l) => new Gathered({ engine, layer, workspace, prefix: `L${l}.` }),
    );
  }

  /** Graphs that have run and are kept, with the plans of their Programs' memory. */
  get planned(): PlannedGraph[] {
    return this.#runner.planned;
  }

  /** What a chunking is given. */
  get splitAt() {
    return splitOf(this.#of.layer, this.#rows);
  }

  /** @throws {SchemoeError} when rows cannot be split as chosen, and for layers whose tokens cannot cross once. */
  pass(choices: ResolvedChoices, pass: Pass): StackPass {
    const { layer, engine, shape: { layers, gradientChunks } } = this.#of;
    checkDispatch({ layer, engine }, choices);
    checkScoreGradient(layer, choices.compressor);
    const rows = this.#rows;
    const chunks = checkedSplit(choices.chunking, this.splitAt);
    const { allToAll, compressor } = choices;
    const { capacity } = rows;
    return {
      pass,
      layer,
      ...splitRows(layer, rows, chunks),
      chunks,
      allToAll,
      compressor,
      configuration: {
        pass,
        layers,
        gradientChunks,
        ...configurationOf(choices, { layer, facts: engineFacts(engine), capacity, chunks }),
      },
    };
  }

  /** All layers, first to last. */
  async forward(pass: StackPass, resolved: ResolvedChoices, choices: PassChoices) {
    const { shape } = this.#of;
    const { chunks } = pass;
    if (resolved.dispatch === "choice") {
      const ran = await this.#run(pass, { resolved, choices }, () => forwardStack(pass, shape));
      return { ran: [ran], kept: { chunks } };
    }
    const ran: RanProgram[] = [];
    const gathered: GatheredChoices[] = [];
    let node: NodeRows | undefined;
    for (let program = 0; program <= shape.layers; program++) {
      const part = { ...pass, ...(node ? { node } : {}) };
      const own = { resolved, choices, parts: [program, ...(node ? [node] : [])] };
      ran.push(await this.#run(pass, own, () => forwardStackPart(part, shape, program)));
      if (program === shape.layers) break;
      gathered.push(this.#gathered[program].take());
      node = await this.#laidOut(pass, program, gathered[program]);
    }
    return { ran, kept: { chunks, gathered } };
  }

  /** All layers, last to first. */
  async backward(
    pass: StackPass,
    kept: KeptOfStack,
    { resolved, choices }: { readonly resolved: ResolvedChoices; readonly choices: PassChoices },
  ) {
    const nodes: NodeRows[] = [];
    for (const [l, gathered] of (kept.gathered ?? []).entries()) {
      nodes.push(await this.#laidOut(pass, l, gathered));
    }
    const reassociate = reassociates(resolved);
    const parts = [JSON.stringify(kept.chunks), `${reassociate}`, ...nodes];
    const options = { ...pass, forwardChunks: kept.chunks, reassociate };
    return [
      await this.#run(
        pass,
        { resolved, choices, parts },
        () => backwardStack(options, this.#of.shape, kept.gathered && nodes),
      ),
    ];
  }

  /** Rows of a layer for what its gate chose, with the tables in memory that kernels find them by. */
  async #laidOut(pass: PassOptions, layer: number, gathered: GatheredChoices): Promise<NodeRows> {
    const rows = nodeRows({ ...pass, gathered });
    await this.#gathered[layer].write(rows);
    return rows;
  }

  async #run(
    pass: StackPass,
    { resolved, choices, parts = [] }: {
      readonly resolved: ResolvedChoices;
      readonly choices: PassChoices;
      readonly parts?: readonly (string | number | object)[];
    },
    make: () => TaskGraph,
  ): Promise<RanProgram> {
    const { allToAll, compressor, scheduler, dispatch } = resolved;
    const key = [
      pass.pass,
      JSON.stringify(pass.chunks),
      dispatch,
      allToAll,
      compressor.dispatch,
      compressor.combine,
      ...parts,
    ];
    const routed = parts.some((part) => typeof part === "object");
    const { bound, repeats, timeLimit, signal, checkNumbers } = choices;
    return await this.#runner.run(
      this.#runner.graph({ parts: key, routed }, make),
      acrossLayers(scheduler),
      { bound, repeats, timeLimit, signal, checkNumbers },
    );
  }

  get #rows() {
    const { layer } = this.#of;
    return paddedPlaces(layer, capacity(layer, 0));
  }
}
