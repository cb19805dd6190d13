/**
 * The simulator: times of a Program by the cost model of a topology. Needs no native code and reaches
 * tens of thousands of ranks.
 * @module
 */
import { aFlag, aProgram, aTopology, expect, maybe, options, someCosts } from "../arguments/mod.ts";
import { idle } from "../activity.ts";
import { checkTopology } from "../topology.ts";
import type { Costs } from "../costs/types.ts";
import type { Engine, EventTable, Program, Workspace } from "../engine.ts";
import { turn } from "../turn.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { everyRank, oneNode } from "./simulate/columns.ts";
import { emptyEvents, inNanoseconds } from "./simulate/events.ts";
import { simulateFluid } from "./simulate/fluid.ts";
import { simulateInOrder } from "./simulate/in_order.ts";
import { type Instance, makeInstance } from "./simulate/instance.ts";

const SIMULATE_OPTIONS = options({ costs: maybe(someCosts), representatives: maybe(aFlag) });

/** How a Program is simulated. */
export interface SimulateOptions {
  /** Seconds of each task alone; default those of the topology's model. */
  readonly costs?: Costs;
  /**
   * Simulate the ranks of node 0 as representatives of all nodes, for worlds in which all nodes do the
   * same; the table then holds these ranks only. Default false.
   */
  readonly representatives?: boolean;
}

/**
 * An engine that computes times and no values; needs no native library.
 *
 * @param options see {@linkcode SimulateOptions}.
 * @throws {SchemoeError} naming what is wrong in the topology.
 */
export function openSimulator(topology: Topology, options: SimulateOptions = {}): Engine {
  checkTopology(topology);
  expect("openSimulator", "options", options, SIMULATE_OPTIONS);
  const { representatives = false, costs } = options;
  const columns = representatives ? oneNode(topology) : everyRank(topology);
  let closed = false;
  const engine: Engine = {
    kind: "simulate",
    topology,
    computes: false,
    timing: `simulated with the ${costs ? costs.source : "alpha-beta model"}${
      representatives ? ", one node for all" : ""
    }`,
    modelled: true,
    ...(costs ? { costs } : {}),
    ...(representatives ? { representatives: Array.from(columns.ranks) } : {}),
    workspace: () => emptyWorkspace,
    run(program, _workspace, { signal, isolated } = {}) {
      const times = (): EventTable => {
        if (closed) throw new SchemoeError("Cannot use the engine: it is closed");
        if (signal?.aborted) {
          throw new SchemoeError("Cannot run the Program: it was aborted", {
            status: 3,
            cause: signal.reason,
          });
        }
        return isolated
          ? oneByOne(instanceOf(program, topology, options))
          : simulate(program, topology, options);
      };
      // runs that follow one another without a turn of the event loop would never hear of a signal
      if (signal && !signal.aborted && !closed) return turn().then(times);
      return Promise.resolve(times());
    },
    idle: () => idle(engine),
    close: () => void (closed = true),
    [Symbol.dispose]() {
      this.close();
    },
  };
  return engine;
}

const noValues = (name: string): never => {
  throw new SchemoeError(`Cannot read "${name}": the simulator computes times, no values`);
};

const emptyWorkspace: Workspace = {
  ensure() {},
  ensureAsync: () => Promise.resolve(),
  write() {},
  writeAsync: () => Promise.resolve(),
  read: noValues,
  readInto: noValues,
  readAll: noValues,
  readAsync: (name) =>
    Promise.reject(
      new SchemoeError(`Cannot read "${name}": the simulator computes times, no values`),
    ),
  free() {},
};

/**
 * Times of all operations, position after position and in each rank after rank. An operation begins when
 * its lane is free and its dependencies are done; a phase then waits until all its peers have posted
 * theirs, and takes what the cost model says. Ranks that share a processor, a network card or
 * uplinks share them equally; with contention, what runs beside the other kind of lane is slowed down.
 *
 * @param topology where it runs: of the Program's shape, with links and processors of any speed.
 * @throws {SchemoeError} for a Program of another world, a cost that is no usable number, or phases whose
 * sends and receives do not meet.
 */
export function simulate(
  program: Program,
  topology: Topology,
  options: SimulateOptions = {},
): EventTable {
  expect("simulate", "program", program, aProgram);
  expect("simulate", "topology", topology, aTopology);
  expect("simulate", "options", options, SIMULATE_OPTIONS);
  const instance = instanceOf(program, topology, options);
  const { sharing, nic, spine, contention } = topology;
  const slowed = contention && (contention.compute !== 1 || contention.communication !== 1);
  return sharing || nic || spine || slowed ? simulateFluid(instance) : simulateInOrder(instance);
}

function instanceOf(program: Program, topology: Topology, options: SimulateOptions): Instance {
  const { nodes, ranksPerNode } = program.graph.topology;
  if (nodes !== topology.nodes || ranksPerNode !== topology.ranksPerNode) {
    throw new SchemoeError(
      `Cannot simulate: the Program is for ${nodes} x ${ranksPerNode} ranks, the topology has ` +
        `${topology.nodes} x ${topology.ranksPerNode}`,
    );
  }
  checkTopology(topology);
  const columns = options.representatives ? oneNode(topology) : everyRank(topology);
  return makeInstance(program, topology, columns, options.costs);
}

/** Every operation after all others: the cost of each alone. */
function oneByOne({ steps, columns: { ranks } }: Instance): EventTable {
  const events = emptyEvents(steps.length, ranks);
  let now = 0;
  for (const [position, { seconds, meeting }] of steps.entries()) {
    let latest = now;
    for (let i = 0; i < ranks.length; i++) {
      const at = position * ranks.length + i;
      const begin = meeting ? now : latest;
      events.ready[at] = events.start[at] = begin;
      events.end[at] = begin + seconds[i];
      latest = Math.max(latest, events.end[at]);
    }
    now = latest;
  }
  return inNanoseconds(events);
}
