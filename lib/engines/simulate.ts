/**
 * The simulator: discrete events over a Program with the cost model of its topology.
 * @module
 */
import { taskSeconds } from "../costs/mod.ts";
import {
  type Engine,
  type EventTable,
  LANES,
  type Program,
  SchemoeError,
  type Topology,
  type Workspace,
} from "../types.ts";
import { EventHeap } from "./event_heap.ts";
import { SharedProcessor } from "./shared_processor.ts";

const NANOSECONDS = 1e9;

/** An engine that computes times and no values; needs no native library. */
export function openSimulator(topology: Topology): Engine {
  let closed = false;
  return {
    kind: "simulate",
    topology,
    computes: false,
    timing: "simulated with the alpha-beta model",
    modelled: true,
    workspace: () => emptyWorkspace,
    run(program, _workspace, options = {}) {
      if (closed) throw new SchemoeError("Cannot run: the engine is closed");
      if (program.graph.topology.ranks !== topology.ranks) {
        throw new SchemoeError(
          `Cannot run: the Program is for ${program.graph.topology.ranks} ranks, the engine has ${topology.ranks}`,
        );
      }
      options.signal?.throwIfAborted();
      return Promise.resolve(
        options.isolated ? oneByOne(program, topology) : simulate(program, topology),
      );
    },
    close: () => void (closed = true),
    [Symbol.dispose]() {
      this.close();
    },
  };
}

const emptyWorkspace: Workspace = {
  ensure() {},
  write() {},
  read(name) {
    throw new SchemoeError(`Cannot read "${name}": the simulator computes times, no values`);
  },
  free() {},
};

/**
 * Times of all operations. An operation begins when its lane is free and its dependencies are done; a
 * phase then waits until all its peers have posted theirs and takes what the cost model says.
 */
export function simulate(program: Program, topology: Topology): EventTable {
  return new Simulation(program, topology).run();
}

class Simulation {
  readonly #ranks: number;
  readonly #events: EventTable;
  readonly #heap = new EventHeap();
  /** Per operation: dependencies (with the lane's previous operation) still open; peers not posted. */
  readonly #open: Uint8Array;
  readonly #unposted: Int32Array;
  /** Per position: the positions that wait for it, and the next on its lane (-1: none). */
  readonly #successors: number[][];
  readonly #next: Int32Array;
  readonly #processors: SharedProcessor[];
  #finished = 0;

  constructor(readonly program: Program, readonly topology: Topology) {
    const { order, waits } = program;
    const ranks = this.#ranks = topology.ranks;
    this.#events = emptyEvents(order.length, ranks);
    this.#open = new Uint8Array(order.length * ranks);
    this.#unposted = new Int32Array(order.length * ranks);
    this.#successors = order.map(() => []);
    this.#next = new Int32Array(order.length).fill(-1);
    this.#processors = (topology.sharing?.capacity ?? []).map((capacity) =>
      new SharedProcessor(capacity)
    );
    const last = new Map(LANES.map((lane) => [lane, -1]));
    for (const [position, { lane }] of order.entries()) {
      const before = last.get(lane)!;
      if (before >= 0) this.#next[before] = position;
      last.set(lane, position);
      for (const wait of waits[position]) this.#successors[wait].push(position);
      this.#open.fill(
        waits[position].length + Number(before >= 0),
        position * ranks,
        (position + 1) * ranks,
      );
    }
  }

  run(): EventTable {
    const operations = this.program.order.length * this.#ranks;
    for (let at = 0; at < operations; at++) if (this.#open[at] === 0) this.#begin(at, 0);
    while (this.#heap.size > 0) {
      const { time, key, stamp } = this.#heap.pop();
      if (key < 0) this.#processorEvent(-1 - key, time, stamp);
      else this.#finish(key, time);
    }
    if (this.#finished < operations) {
      throw new SchemoeError("Cannot simulate: the plan's phases wait for each other");
    }
    return this.#events;
  }

  #begin(at: number, time: number): void {
    const rank = at % this.#ranks;
    const position = (at - rank) / this.#ranks;
    const task = this.program.order[position];
    this.#events.start[at] = time * NANOSECONDS;
    if (task.transfers) return this.#post(at, position, rank, time);
    const seconds = taskSeconds(this.topology, task, rank);
    const processor = this.topology.sharing?.of[rank];
    if (processor === undefined) this.#heap.push(time + seconds, at, 0);
    else {
      this.#processors[processor].start(time, at, seconds);
      this.#scheduleProcessor(processor);
    }
  }

  /** `unposted` holds the peers still missing, minus one before the rank itself has posted. */
  #post(at: number, position: number, rank: number, time: number): void {
    const transfers = this.program.order[position].transfers!(rank);
    const peers = new Set(transfers.map(({ peer }) => peer));
    peers.delete(rank);
    for (const peer of peers) {
      const other = position * this.#ranks + peer;
      this.#unposted[other]--;
      if (this.#unposted[other] === 0) this.#transfer(other, peer, time);
    }
    this.#unposted[at] += peers.size;
    if (this.#unposted[at] === 0) this.#transfer(at, rank, time);
  }

  #transfer(at: number, rank: number, time: number): void {
    const task = this.program.order[Math.floor(at / this.#ranks)];
    this.#events.wait[at] = time * NANOSECONDS - this.#events.start[at];
    this.#heap.push(time + taskSeconds(this.topology, task, rank), at, 0);
  }

  /** An event of a shared processor has key -1 - its number, and is void when another task came since. */
  #scheduleProcessor(number: number): void {
    const processor = this.#processors[number];
    if (processor.active > 0) this.#heap.push(processor.nextEnd, -1 - number, processor.stamp);
  }

  #processorEvent(number: number, time: number, stamp: number): void {
    const processor = this.#processors[number];
    if (processor.stamp !== stamp) return;
    const at = processor.finish(time);
    this.#finish(at, time);
    this.#scheduleProcessor(number);
  }

  #finish(at: number, time: number): void {
    this.#finished++;
    const rank = at % this.#ranks;
    const position = (at - rank) / this.#ranks;
    const nanoseconds = time * NANOSECONDS;
    this.#events.end[at] = nanoseconds;
    for (const successor of this.#successors[position]) {
      const other = successor * this.#ranks + rank;
      this.#events.ready[other] = Math.max(this.#events.ready[other], nanoseconds);
      if (--this.#open[other] === 0) this.#begin(other, time);
    }
    if (this.#next[position] >= 0) {
      const other = this.#next[position] * this.#ranks + rank;
      if (--this.#open[other] === 0) this.#begin(other, time);
    }
  }
}

/** Every operation after all others: what each costs alone. */
function oneByOne(program: Program, topology: Topology): EventTable {
  const events = emptyEvents(program.order.length, topology.ranks);
  let now = 0;
  for (const [position, task] of program.order.entries()) {
    let latest = now;
    for (let rank = 0; rank < topology.ranks; rank++) {
      const at = position * topology.ranks + rank;
      const begin = task.transfers ? now : latest;
      events.ready[at] = events.start[at] = begin * NANOSECONDS;
      const end = begin + taskSeconds(topology, task, rank);
      events.end[at] = end * NANOSECONDS;
      latest = Math.max(latest, end);
    }
    now = latest;
  }
  return events;
}

function emptyEvents(positions: number, ranks: number): EventTable {
  const operations = positions * ranks;
  const column = () => new Float64Array(operations);
  return {
    position: Uint32Array.from({ length: operations }, (_, at) => Math.floor(at / ranks)),
    rank: Uint32Array.from({ length: operations }, (_, at) => at % ranks),
    ...{ ready: column(), start: column(), end: column(), wait: column() },
  };
}
