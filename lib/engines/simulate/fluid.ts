/**
 * Simulation by events, for operations that slow each other down: shared processors and network
 * cards, and contention between computation and communication of a rank.
 * @module
 */
import type { Launch } from "../../costs/types.ts";
import type { EventTable } from "../../engine.ts";
import { SchemoeError } from "../../types.ts";
import { EventHeap } from "../event_heap.ts";
import { emptyEvents, inNanoseconds } from "./events.ts";
import { type Followers, followersOf } from "./followers.ts";
import type { Instance, Step } from "./instance.ts";
import { KernelQueues } from "./kernel_queue.ts";
import type { SharedRate } from "./shared_rate.ts";
import { columnOf, COMPUTE, LANE_COUNT } from "./lanes.ts";
import { Posts } from "./posts.ts";
import { ProcessorTurns } from "./processor_turns.ts";
import { Shares } from "./shares.ts";
import type { TurnQueue } from "./turns.ts";

/**
 * Parts of a transfer: what needs nothing shared, through a shared network card, across the spine, what is
 * left to receive.
 */
const OWN = 0;
const SHARED = 1;
const SPINE = 2;
const RECEIVE = 3;

/** Times of all operations. Between two events every running one gets done what its rate says. */
export function simulateFluid(instance: Instance): EventTable {
  return new Fluid(instance).run();
}

class Fluid {
  readonly #columns: number;
  readonly #events: EventTable;
  readonly #heap = new EventHeap();
  /** Per operation: unfinished dependencies. */
  readonly #open: Uint16Array;
  readonly #posts: Posts;
  readonly #followers: Followers;
  /** Per lane of a column: the operation that is about to begin. */
  readonly #launched: Int32Array;
  /** Per lane of a column: the operation that runs there (-1: none) and how it gets on. */
  readonly #running: Int32Array;
  readonly #part: Uint8Array;
  readonly #left: Float64Array;
  readonly #rate: Float64Array;
  readonly #since: Float64Array;
  readonly #stamp: Uint32Array;
  /** Kernels that are to come after the one that runs. */
  readonly #kernels: Uint32Array;
  /** Seconds of its receives that a transfer got done, and how fast, the card apart. */
  readonly #done: Float64Array;
  readonly #pace: Float64Array;
  readonly #shares: Shares;
  readonly #turns: ProcessorTurns;
  readonly #queues: KernelQueues;
  #finished = 0;

  constructor(readonly instance: Instance) {
    const { steps, topology } = instance;
    const columns = this.#columns = instance.columns.ranks.length;
    this.#events = emptyEvents(steps.length, instance.columns.ranks);
    this.#open = new Uint16Array(steps.length * columns);
    this.#posts = new Posts(steps.length * columns, (at, time) => this.#serve(at, time));
    this.#followers = followersOf(steps);
    const lanes = columns * LANE_COUNT;
    this.#launched = new Int32Array(lanes).fill(-1);
    this.#running = new Int32Array(lanes).fill(-1);
    this.#part = new Uint8Array(lanes);
    this.#stamp = new Uint32Array(lanes);
    this.#kernels = new Uint32Array(lanes);
    this.#left = new Float64Array(lanes);
    this.#rate = new Float64Array(lanes);
    this.#since = new Float64Array(lanes);
    this.#done = new Float64Array(lanes);
    this.#pace = new Float64Array(lanes);
    this.#shares = new Shares(topology, instance.columns);
    this.#turns = new ProcessorTurns(instance, {
      runs: (slot, time) => {
        if (this.#running[slot] >= 0) this.#setRate(slot, time);
        else this.#begin(this.#launched[slot], time);
      },
      setRate: (slot, time) => this.#setRate(slot, time),
      works: (slot) => this.#running[slot] >= 0,
      at: (time, slot, turn) => this.#heap.push(time, 2 * lanes + slot, turn),
    });
    this.#queues = new KernelQueues(instance, (slot, time) => this.#setRate(slot, time));
    this.#followers.open.forEach((open, position) => {
      this.#open.fill(open, position * columns, (position + 1) * columns);
    });
  }

  run(): EventTable {
    const operations = this.instance.steps.length * this.#columns;
    // operations without dependencies begin before any other one ends
    const first: number[] = [];
    for (let at = 0; at < operations; at++) if (this.#open[at] === 0) first.push(at);
    const lanes = this.#running.length;
    for (const at of first) this.#launch(at, 0, "begin");
    while (this.#heap.size > 0) {
      this.#heap.pop();
      const { key: slot, time } = this.#heap;
      // events of launches are numbered behind those of what runs, ends of turns behind these
      if (slot >= 2 * lanes) {
        this.#turns.ends(slot - 2 * lanes, this.#heap.stamp, time);
      } else if (slot >= lanes) this.#take(this.#launched[slot - lanes], time);
      else if (this.#stamp[slot] === this.#heap.stamp) this.#partDone(slot, time);
    }
    if (this.#finished < operations) {
      throw new SchemoeError("Cannot simulate: the plan's phases wait for each other");
    }
    return inNanoseconds(this.#events);
  }

  /** All that it needs is there; it begins after what taking it up takes. */
  #launch(at: number, time: number, after: keyof Launch): void {
    const column = at % this.#columns;
    const { lane, launch } = this.instance.steps[(at - column) / this.#columns];
    const slot = column * LANE_COUNT + lane;
    this.#launched[slot] = at;
    if (launch[after] === 0) return this.#take(at, time);
    this.#heap.push(time + launch[after], this.#running.length + slot, 0);
  }

  /** Begins where it needs no processor yet, or its lane has one; else when it gets one. */
  #take(at: number, time: number): void {
    const turns = this.#turnsFor(at);
    if (turns) turns.take(this.#slotOf(at), time);
    else this.#begin(at, time);
  }

  #slotOf(at: number): number {
    const column = at % this.#columns;
    return column * LANE_COUNT + this.instance.steps[(at - column) / this.#columns].lane;
  }

  #turnsFor(at: number): TurnQueue | undefined {
    const column = at % this.#columns;
    return this.#turns.needed(this.#step(at), column);
  }

  #step(at: number): Step {
    return this.instance.steps[(at - at % this.#columns) / this.#columns];
  }

  #begin(at: number, time: number): void {
    this.#events.start[at] = time;
    const column = at % this.#columns;
    const { meeting } = this.instance.steps[(at - column) / this.#columns];
    this.#posts.post(at, column, time, meeting);
    // who waits for peers does so without a processor
    const slot = this.#slotOf(at);
    if (this.#running[slot] < 0) this.#turns.release(slot, time);
  }

  #serve(at: number, time: number): void {
    const column = at % this.#columns;
    const step = this.#step(at);
    const { lane, seconds, kernels, phase } = step;
    const slot = column * LANE_COUNT + lane;
    this.#events.wait[at] = time - this.#events.start[at];
    this.#running[slot] = at;
    this.#part[slot] = OWN;
    this.#done[slot] = 0;
    this.#left[slot] = phase ? phase.own[column] : seconds[column] / kernels;
    this.#kernels[slot] = kernels - 1;
    this.#since[slot] = time;
    this.#rate[slot] = 0;
    this.#pace[slot] = 0;
    if (lane === COMPUTE) this.#shares.processorOf(column)?.add(slot);
    const turns = this.#turnsFor(at);
    if (turns && !turns.holds(slot)) turns.take(slot, time);
    this.#queues.add(slot, step, time);
    this.#refresh(slot, time);
  }

  #partDone(slot: number, time: number): void {
    this.#advance(slot, time);
    const at = this.#running[slot];
    const column = at % this.#columns;
    const step = this.#step(at);
    const { phase } = step;
    if (this.#kernels[slot] > 0 && !phase) {
      // the next kernel goes behind what came meanwhile
      this.#kernels[slot]--;
      this.#queues.remove(slot, step, time);
      this.#queues.add(slot, step, time);
      return this.#enter(slot, OWN, step.seconds[column] / step.kernels, time);
    }
    if (phase) {
      const part = this.#part[slot];
      if (part < SHARED && phase.shared[column] > 0) {
        this.#shares.cardOf(column).add(slot);
        return this.#enter(slot, SHARED, phase.shared[column], time);
      }
      if (part < SPINE && phase.spine[column] > 0) {
        if (part < SHARED) this.#shares.cardOf(column).add(slot);
        this.#shares.uplinksOf(column)!.add(slot);
        return this.#enter(slot, SPINE, phase.spine[column], time);
      }
      if (part === SHARED || part === SPINE) this.#leave(slot, column, time);
      const receive = phase.receives[column] - this.#done[slot];
      if (this.#part[slot] !== RECEIVE && receive > 0) {
        return this.#enter(slot, RECEIVE, receive, time);
      }
    }
    this.#finish(slot, at, time);
  }

  /** The part is sent: its share of card and uplinks goes to the others. */
  #leave(slot: number, column: number, time: number): void {
    for (const shared of [this.#shares.cardOf(column), this.#shares.uplinksOf(column)]) {
      shared?.remove(slot);
      this.#refreshAll(shared, time);
    }
  }

  #enter(slot: number, part: number, seconds: number, time: number): void {
    this.#part[slot] = part;
    this.#left[slot] = seconds;
    this.#rate[slot] = 0;
    this.#refresh(slot, time);
  }

  #finish(slot: number, at: number, time: number): void {
    const column = at % this.#columns;
    const position = (at - column) / this.#columns;
    this.#finished++;
    this.#events.end[at] = time;
    this.#running[slot] = -1;
    this.#stamp[slot]++;
    if (slot % LANE_COUNT === COMPUTE) this.#shares.processorOf(column)?.remove(slot);
    this.#queues.remove(slot, this.#step(at), time);
    const { ready } = this.#events;
    const { successors, next } = this.#followers;
    let goesOn = false;
    for (const successor of successors[position]) {
      const other = successor * this.#columns + column;
      ready[other] = Math.max(ready[other], time);
      if (--this.#open[other] === 0) this.#launch(other, time, "wait");
    }
    if (next[position] >= 0) {
      const other = next[position] * this.#columns + column;
      if (--this.#open[other] === 0) {
        this.#launch(other, time, "next");
        goesOn = this.#turnsFor(other) !== undefined;
      }
    }
    if (!goesOn) this.#turns.release(slot, time);
    this.#refreshBeside(slot, time);
  }

  /** Takes up the rates of a slot that has just changed and of all that it slows down. */
  #refresh(slot: number, time: number): void {
    this.#setRate(slot, time);
    this.#refreshBeside(slot, time);
  }

  #refreshBeside(slot: number, time: number): void {
    const column = columnOf(slot);
    if (this.instance.topology.contention) {
      for (let lane = 0; lane < LANE_COUNT; lane++) this.#setRate(column * LANE_COUNT + lane, time);
    }
    if (slot % LANE_COUNT === COMPUTE) this.#refreshAll(this.#shares.processorOf(column), time);
    else if (this.#running[slot] >= 0) {
      const part = this.#part[slot];
      if (part === SHARED || part === SPINE) this.#refreshAll(this.#shares.cardOf(column), time);
      if (part === SPINE) this.#refreshAll(this.#shares.uplinksOf(column), time);
    }
  }

  #refreshAll(shared: SharedRate | undefined, time: number): void {
    if (!shared?.takeChange()) return;
    for (const slot of shared.members) this.#setRate(slot, time);
  }

  /** Accounts for progress so far and sets the time of the next event, when the rate has changed. */
  #setRate(slot: number, time: number): void {
    if (this.#running[slot] < 0) return;
    const pace = this.#speed(slot);
    const rate = pace * this.#share(slot);
    if (rate === this.#rate[slot]) return;
    this.#advance(slot, time);
    this.#rate[slot] = rate;
    this.#pace[slot] = pace;
    const stamp = ++this.#stamp[slot];
    if (rate > 0) this.#heap.push(time + this.#left[slot] / rate, slot, stamp);
  }

  #advance(slot: number, time: number): void {
    const passed = time - this.#since[slot];
    this.#since[slot] = time;
    this.#left[slot] = Math.max(0, this.#left[slot] - passed * this.#rate[slot]);
    this.#done[slot] += passed * this.#pace[slot];
  }

  /** What contention leaves of its rate. */
  #speed(slot: number): number {
    const { contention } = this.instance.topology;
    if (this.#turnsFor(this.#running[slot])?.holds(slot) === false) return 0;
    if (!contention) return 1;
    const first = slot - slot % LANE_COUNT;
    if (slot === first) {
      const busy = this.#running[first + 1] >= 0 || this.#running[first + 2] >= 0;
      return busy ? 1 / contention.compute : 1;
    }
    return this.#running[first] >= 0 ? 1 / contention.communication : 1;
  }

  /** Its share of a processor, network card or uplinks. */
  #share(slot: number): number {
    const column = columnOf(slot);
    const turns = this.#turnsFor(this.#running[slot]);
    if (turns) return turns.share;
    const queued = this.#queues.rate(slot, this.#step(this.#running[slot]));
    if (queued !== undefined) return queued;
    if (slot % LANE_COUNT === COMPUTE) return this.#shares.processorOf(column)?.share ?? 1;
    if (this.#part[slot] === SPINE) return this.#shares.acrossSpine(column);
    return this.#part[slot] === SHARED ? this.#shares.cardOf(column).share : 1;
  }
}
