/** Graphs and Programs of a layer, made once for each choice and kept while they are used. @module */
import { type Bound, lowerBound, measuredCosts, modelCosts } from "../costs/mod.ts";
import { checkSize } from "../engines/simulate/size.ts";
import { buildProgram } from "../program/mod.ts";
import { sequential } from "../schedulers/mod.ts";
import { callUser } from "../user_code.ts";
import type { Costs } from "../costs/types.ts";
import type { Engine, EventTable, Program, RunOptions, Workspace } from "../engine.ts";
import type { Schedule, Scheduler } from "../schedulers/types.ts";
import { SchemoeError, type TaskGraph } from "../types.ts";
import { memoryPlan } from "../memory/mod.ts";
import type { PlannedGraph } from "./memory_report.ts";
import { repeated } from "./repeats.ts";
import type { RanProgram } from "./run.ts";

/** Runs in which each task is measured alone. */
const MEASUREMENTS = 2;
/** Graphs that are kept, and least of routings: all that is kept is moved about by the garbage collector. */
const KEPT = 32;
const KEPT_ROUTED = 16;
/** Messages of the JavaScript engine on changes of frozen objects. */
const FROZEN = /read only|not extensible|cannot delete|cannot add/i;

/** Times of the tasks of a graph alone, and their bound. */
interface Measured {
  readonly costs: Costs;
  readonly bound: Bound;
  /** Of measured times: the largest bound that one of the measurements alone would give. */
  readonly boundMost?: number;
  /** The runs in which the tasks ran alone. */
  readonly alone?: { readonly program: Program; readonly runs: readonly EventTable[] };
}

/** A graph with its Programs and measurements. */
class KnownGraph {
  readonly #programs = new Map<Scheduler, { readonly program: Program; readonly source: string }>();
  measured?: Measured;
  /** What its tasks cost by the model, made once: it remembers what it has computed. */
  model?: Costs;

  constructor(readonly graph: TaskGraph) {}

  get programs(): Program[] {
    return [...this.#programs.values()].map(({ program }) => program);
  }

  /** The order of a scheduler by these costs; anew where it was made by costs of another source. */
  program(scheduler: Scheduler, costs: Costs): Program {
    const { source } = costs;
    const known = this.#programs.get(scheduler);
    if (known?.source === source) return known.program;
    const program = buildProgram(this.graph, this.#order(scheduler, costs), scheduler.name);
    this.#programs.delete(scheduler);
    if (this.#programs.size >= KEPT) this.#programs.delete(this.#programs.keys().next().value!);
    this.#programs.set(scheduler, { program, source });
    return program;
  }

  #order(scheduler: Scheduler, costs: Costs): Schedule {
    const whose = `the scheduler "${scheduler.name}"`;
    try {
      return callUser(whose, "order", () => scheduler.order(this.graph, costs));
    } catch (error) {
      const { cause } = error as SchemoeError;
      if (!(cause instanceof TypeError && FROZEN.test(cause.message))) throw error;
      throw new SchemoeError(
        `Cannot use ${whose}: its order changes the graph, which others share; sort a copy, as ` +
          "graph.tasks.toSorted() makes one",
        { cause },
      );
    }
  }
}

/** What tells a graph from others, and whether it is one of a routing, which may never come again. */
export interface GraphKey {
  readonly parts: readonly (string | number | boolean | object)[];
  readonly routed: boolean;
}

/** Runs graphs on an engine. */
export class GraphRunner {
  /** The latest graphs; those of routings apart, so that they do not drive out the others. */
  readonly #lasting = new Map<string, KnownGraph>();
  readonly #routed = new Map<string, KnownGraph>();
  readonly #identities = new WeakMap<object, number>();
  #objects = 0;

  /** @param routings graphs of one pass that depend on its routings: as many are kept. */
  constructor(
    readonly engine: Engine,
    readonly workspace: Workspace,
    readonly routings: number = KEPT_ROUTED,
  ) {}

  /** The graph of a key, where it was made before and is kept. */
  kept({ parts, routed }: GraphKey): KnownGraph | undefined {
    const graphs = routed ? this.#routed : this.#lasting;
    const text = this.#text(parts);
    const known = graphs.get(text);
    if (!known) return undefined;
    graphs.delete(text); // it is the latest now
    graphs.set(text, known);
    return known;
  }

  /** The graph made for a key of names, numbers and objects (told apart by identity). */
  graph(key: GraphKey | GraphKey["parts"], make: () => TaskGraph): KnownGraph {
    const { parts, routed } = "parts" in key ? key : { parts: key, routed: false };
    const text = this.#text(parts);
    const graphs = routed ? this.#routed : this.#lasting;
    const known = graphs.get(text) ?? new KnownGraph(make());
    graphs.delete(text);
    graphs.set(text, known);
    for (const [oldest, unused] of graphs) {
      if (graphs.size <= (routed ? Math.max(KEPT_ROUTED, this.routings) : KEPT)) break;
      graphs.delete(oldest);
      for (const program of unused.programs) this.engine.forget?.(program, this.workspace);
    }
    return known;
  }

  /** Orders a graph, runs it, and on request bounds it by the times of its tasks alone. */
  async run(
    known: KnownGraph,
    scheduler: Scheduler,
    options: RunOptions & { readonly bound?: boolean; readonly repeats?: number },
  ): Promise<RanProgram> {
    const { graph } = known;
    const { representatives } = this.engine;
    if (!this.engine.computes) {
      checkSize(graph.tasks.length, representatives?.length ?? graph.topology.ranks);
    }
    const model = this.engine.costs ??
      (known.model ??= modelCosts(graph.topology, { representatives }));
    const { bound = this.engine.modelled || known.measured !== undefined } = options;
    if (bound && !known.measured) {
      known.measured = this.engine.modelled
        ? { costs: model, bound: lowerBound(simulated(graph, representatives), model) }
        : await this.#measure(known, model, options);
    }
    const program = known.program(scheduler, known.measured?.costs ?? model);
    const { timeLimit, signal, checkNumbers, repeats = 1 } = options;
    const count = this.engine.computes ? repeats : 1;
    const ran = await repeated(
      count,
      () => this.engine.run(program, this.workspace, { timeLimit, signal, checkNumbers }),
    );
    return { program, ...ran, ...(bound ? known.measured : {}) };
  }

  /** Graphs that have run and are kept, with the plans of their Programs' memory. */
  get planned(): PlannedGraph[] {
    return [...this.#lasting.values(), ...this.#routed.values()].flatMap(({ graph, programs }) =>
      programs.map((program) => ({ graph, plan: memoryPlan(program) }))
    );
  }

  async #measure(known: KnownGraph, model: Costs, options: RunOptions): Promise<Measured> {
    const program = known.program(sequential, model);
    const { timeLimit, signal } = options;
    const runs: EventTable[] = [];
    for (let i = 0; i < MEASUREMENTS; i++) {
      const isolated = { timeLimit, signal, isolated: true };
      runs.push(await this.engine.run(program, this.workspace, isolated));
    }
    const costs = measuredCosts(program, runs);
    // the bound is that of the shortest times; what one measurement alone would say tells how sure it is
    const single = runs.map((run) =>
      lowerBound(known.graph, measuredCosts(program, [run])).seconds
    );
    return {
      costs,
      bound: lowerBound(known.graph, costs),
      boundMost: Math.max(...single),
      alone: { program, runs },
    };
  }

  #text(parts: GraphKey["parts"]): string {
    return parts.map((part) => typeof part === "object" ? `#${this.#identity(part)}` : part)
      .join("|");
  }

  #identity(value: object): number {
    let identity = this.#identities.get(value);
    if (identity === undefined) this.#identities.set(value, identity = this.#objects++);
    return identity;
  }
}

/** The graph as far as an engine runs it: on fewer ranks when they stand for all. */
function simulated(graph: TaskGraph, representatives?: readonly number[]): TaskGraph {
  if (!representatives) return graph;
  const { pass, chunks, tasks, configuration } = graph;
  const topology = { ...graph.topology, ranks: representatives.length };
  return { pass, chunks, topology, tasks, configuration, buffers: {} };
}
