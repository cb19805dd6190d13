/** Partial schedules with equally many tasks, none as good as another one with the same tasks. @module */

/** Sizes that all partial schedules of a search share. */
export interface Shape {
  readonly recordSize: number;
  readonly groups: number;
  /** Differs between counts of tasks scheduled; equal keys are checked. */
  key(counts: Uint16Array): number;
}

/** A kept partial schedule, its parent, and a lower bound of its completions. */
export class Layer {
  size = 0;
  records: Float64Array;
  counts: Uint16Array;
  bounds: Float64Array;
  parents: Int32Array;
  tasks: Int32Array;
  #next: Int32Array;
  readonly #heads = new Map<number, number>();

  constructor(readonly shape: Shape, room = 64) {
    this.records = new Float64Array(room * shape.recordSize);
    this.counts = new Uint16Array(room * shape.groups);
    this.bounds = new Float64Array(room);
    this.parents = new Int32Array(room);
    this.tasks = new Int32Array(room);
    this.#next = new Int32Array(room);
  }

  /** Adds a partial schedule unless a known one with the same tasks is nowhere later by more than `slack`. */
  add(
    node: {
      record: Float64Array;
      counts: Uint16Array;
      bound: number;
      parent: number;
      task: number;
    },
    slack: number,
  ): void {
    const key = this.shape.key(node.counts);
    const head = this.#heads.get(key) ?? -1;
    let slot = -1;
    for (let at = head; at >= 0; at = this.#next[at]) {
      if (!this.#sameTasks(at, node.counts)) continue;
      const order = this.#compare(at, node.record, slack);
      if (order < 0) return;
      if (order === 0) continue;
      if (slot < 0) slot = at;
      else this.bounds[at] = Infinity;
    }
    if (slot < 0) {
      if (this.size === this.bounds.length) this.#grow();
      slot = this.size++;
      this.#next[slot] = head;
      this.#heads.set(key, slot);
    }
    this.records.set(node.record, slot * this.shape.recordSize);
    this.counts.set(node.counts, slot * this.shape.groups);
    this.bounds[slot] = node.bound;
    this.parents[slot] = node.parent;
    this.tasks[slot] = node.task;
  }

  /** The best `width` ones that can still become shorter than `limit`, and the least bound of the others. */
  select(width: number, limit: number): { kept: Int32Array; cut: number } {
    const open: number[] = [];
    for (let at = 0; at < this.size; at++) if (this.bounds[at] < limit) open.push(at);
    if (open.length <= width) return { kept: Int32Array.from(open), cut: Infinity };
    const lateness = new Float64Array(this.size);
    for (const at of open) {
      const begin = at * this.shape.recordSize;
      for (let i = 0; i < 3; i++) lateness[at] += this.records[begin + i];
    }
    open.sort((a, b) => this.bounds[a] - this.bounds[b] || lateness[a] - lateness[b]);
    const cut = open.slice(width).reduce((least, at) => Math.min(least, this.bounds[at]), Infinity);
    return { kept: Int32Array.from(open.slice(0, width)), cut };
  }

  #sameTasks(at: number, counts: Uint16Array): boolean {
    const begin = at * counts.length;
    for (let i = 0; i < counts.length; i++) if (this.counts[begin + i] !== counts[i]) return false;
    return true;
  }

  /** -1: the known one is nowhere later; 1: the new one is; 0: each is earlier somewhere. */
  #compare(at: number, record: Float64Array, slack: number): number {
    const begin = at * record.length;
    let knownIsBetter = true;
    let newIsBetter = true;
    for (let i = 0; i < record.length; i++) {
      const difference = this.records[begin + i] - record[i];
      if (difference > slack) knownIsBetter = false;
      else if (difference < -slack) newIsBetter = false;
      else continue;
      if (!knownIsBetter && !newIsBetter) return 0;
    }
    return knownIsBetter ? -1 : 1;
  }

  #grow(): void {
    const grown = <A extends Float64Array | Uint16Array | Int32Array>(array: A): A => {
      const larger = new (array.constructor as new (length: number) => A)(2 * array.length);
      larger.set(array);
      return larger;
    };
    this.records = grown(this.records);
    this.counts = grown(this.counts);
    this.bounds = grown(this.bounds);
    this.parents = grown(this.parents);
    this.tasks = grown(this.tasks);
    this.#next = grown(this.#next);
  }
}
