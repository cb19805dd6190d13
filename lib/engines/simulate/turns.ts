/** Lanes that take turns on processors. @module */

/** What lanes are told, and what they tell. */
export interface TurnTakers {
  /** It has a processor. */
  runs(lane: number, time: number): void;
  /** Its processor is another one's. */
  stops(lane: number, time: number): void;
  /** Whether it is at work: one between two tasks keeps its processor until it takes it again. */
  works(lane: number): boolean;
  /** Whether it goes before those that wait, and takes the processor of one that does not. */
  first(lane: number): boolean;
  /** Asks for `turnEnds(lane, turn)` at a time. */
  at(time: number, lane: number, turn: number): void;
}

/**
 * `count` processors, of which `capacity` run at full speed at once, and one lane at a time on each: first come, first
 * served. One that has run for `slice` seconds goes behind those that wait.
 */
export class TurnQueue {
  /** Lanes that have a processor, the longest turn first, and the number of each turn. */
  readonly #running = new Map<number, number>();
  readonly #first: number[] = [];
  readonly #waiting: number[] = [];
  /** Lanes whose turn is over, though nobody waited when it ended. */
  readonly #over = new Set<number>();
  #turns = 0;

  constructor(
    readonly capacity: number,
    readonly turns: { readonly count: number; readonly slice: number },
    readonly lanes: TurnTakers,
  ) {}

  /** Part of its full rate at which each of those runs that have a processor. */
  get share(): number {
    return Math.min(1, this.capacity / this.#running.size);
  }

  get running(): Iterable<number> {
    return this.#running.keys();
  }

  holds(lane: number): boolean {
    return this.#running.has(lane);
  }

  /** Goes on with its processor, takes one, or a place among those that wait. */
  take(lane: number, time: number): void {
    if (this.#running.has(lane)) {
      if (this.#over.has(lane) && this.#wanted) this.#stop(lane, time, "push");
      else if (this.#first.length > 0 && !this.lanes.first(lane)) this.#stop(lane, time, "unshift");
      else this.lanes.runs(lane, time);
    } else if (this.#running.size < this.turns.count) this.#run(lane, time);
    else if (this.lanes.first(lane)) {
      this.#first.push(lane);
      const other = this.#find((one) => !this.lanes.first(one));
      // it has not had its turn
      if (other !== undefined) this.#stop(other, time, "unshift");
    } else {
      this.#waiting.push(lane);
      const over = this.#find((one) => this.#over.has(one));
      if (over !== undefined) this.#stop(over, time, "push");
    }
  }

  /** Gives its processor back. */
  release(lane: number, time: number): void {
    this.#running.delete(lane);
    this.#over.delete(lane);
    this.#next(time);
  }

  turnEnds(lane: number, turn: number, time: number): void {
    if (this.#running.get(lane) !== turn) return;
    if (this.#wanted && this.lanes.works(lane)) this.#stop(lane, time, "push");
    else this.#over.add(lane);
  }

  get #wanted(): boolean {
    return this.#first.length + this.#waiting.length > 0;
  }

  /** The first lane at work of some. */
  #find(some: (lane: number) => boolean): number | undefined {
    for (const lane of this.#running.keys()) {
      if (some(lane) && this.lanes.works(lane)) return lane;
    }
  }

  #stop(lane: number, time: number, place: "push" | "unshift"): void {
    this.#running.delete(lane);
    this.#over.delete(lane);
    (this.lanes.first(lane) ? this.#first : this.#waiting)[place](lane);
    this.lanes.stops(lane, time);
    this.#next(time);
  }

  #next(time: number): void {
    const next = this.#first.shift() ?? this.#waiting.shift();
    if (next !== undefined) this.#run(next, time);
  }

  #run(lane: number, time: number): void {
    const turn = ++this.#turns;
    this.#running.set(lane, turn);
    this.lanes.at(time + this.turns.slice, lane, turn);
    this.lanes.runs(lane, time);
  }
}
