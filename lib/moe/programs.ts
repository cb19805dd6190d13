/** Graphs and Programs of a layer, made once for each choice and kept while they are used. @module */
import { type Bound, lowerBound, measuredCosts, modelCosts } from "../costs/mod.ts";
import { buildProgram } from "../program/mod.ts";
import { sequential } from "../schedulers/mod.ts";
import { callUser } from "../user_code.ts";
import type {
  Costs,
  Engine,
  EventTable,
  Program,
  RunOptions,
  Scheduler,
  TaskGraph,
  Workspace,
} from "../types.ts";
import type { RanProgram } from "./run.ts";

/** Runs in which each task is measured alone. */
const MEASUREMENTS = 2;
/** Graphs that are kept. */
const KEPT = 32;

/** A graph with what was found out about it. */
class KnownGraph {
  readonly #programs = new Map<Scheduler, Program>();
  measured?: { readonly costs: Costs; readonly bound: Bound };

  constructor(readonly graph: TaskGraph) {}

  program(scheduler: Scheduler, costs: Costs): Program {
    let program = this.#programs.get(scheduler);
    if (!program) {
      program = buildProgram(
        this.graph,
        callUser(
          `the scheduler "${scheduler.name}"`,
          "order",
          () => scheduler.order(this.graph, costs),
        ),
        scheduler.name,
      );
      if (this.#programs.size >= KEPT) this.#programs.delete(this.#programs.keys().next().value!);
      this.#programs.set(scheduler, program);
    }
    return program;
  }
}

/** Runs graphs on an engine. */
export class GraphRunner {
  readonly #graphs = new Map<string, KnownGraph>();
  readonly #identities = new WeakMap<object, number>();
  #objects = 0;

  constructor(readonly engine: Engine, readonly workspace: Workspace) {}

  /** The graph made for a key of names, numbers and objects (told apart by identity). */
  graph(key: readonly (string | number | boolean | object)[], make: () => TaskGraph): KnownGraph {
    const text = key.map((part) => typeof part === "object" ? `#${this.#identity(part)}` : part)
      .join("|");
    const known = this.#graphs.get(text) ?? new KnownGraph(make());
    this.#graphs.delete(text);
    this.#graphs.set(text, known);
    if (this.#graphs.size > KEPT) this.#graphs.delete(this.#graphs.keys().next().value!);
    return known;
  }

  /** Orders a graph, runs it, and on request bounds it by the times of its tasks alone. */
  async run(
    known: KnownGraph,
    scheduler: Scheduler,
    options: RunOptions & { readonly bound: boolean },
  ): Promise<RanProgram> {
    const { graph } = known;
    if (this.engine.computes) this.workspace.ensure(graph.buffers);
    const { representatives } = this.engine;
    const model = modelCosts(graph.topology, { representatives });
    if (options.bound && !known.measured) {
      const costs = this.engine.modelled ? model : await this.#measure(known, model, options);
      known.measured = { costs, bound: lowerBound(simulated(graph, representatives), costs) };
    }
    const program = known.program(scheduler, known.measured?.costs ?? model);
    const events = await this.engine.run(program, this.workspace, options);
    return { program, events, ...(options.bound ? known.measured : {}) };
  }

  async #measure(known: KnownGraph, model: Costs, options: RunOptions): Promise<Costs> {
    const program = known.program(sequential, model);
    const runs: EventTable[] = [];
    for (let i = 0; i < MEASUREMENTS; i++) {
      runs.push(await this.engine.run(program, this.workspace, { ...options, isolated: true }));
    }
    return measuredCosts(program, runs);
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
  const { pass, chunks, tasks, configuration, hosts } = graph;
  const topology = { ...graph.topology, ranks: representatives.length };
  return { pass, chunks, topology, tasks, configuration, hosts, buffers: {} };
}
