/** A heap of events by time, first in first out among equal times. */
export class EventHeap {
  /** The event that left last. */
  time = 0;
  key = 0;
  stamp = 0;
  #times = new Float64Array(64);
  #keys = new Int32Array(64);
  #stamps = new Uint32Array(64);
  #sequence = new Float64Array(64);
  #size = 0;
  #pushed = 0;

  get size(): number {
    return this.#size;
  }

  push(time: number, key: number, stamp: number): void {
    if (this.#size === this.#times.length) this.#grow();
    const times = this.#times;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      // a new event comes after all others of its time
      if (times[parent] <= time) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, time, key, stamp, this.#pushed++);
  }

  /** Takes the earliest event into `time`, `key` and `stamp`; the heap must not be empty. */
  pop(): void {
    this.time = this.#times[0];
    this.key = this.#keys[0];
    this.stamp = this.#stamps[0];
    const last = --this.#size;
    const time = this.#times[last];
    const sequence = this.#sequence[last];
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      if (child + 1 < last && this.#before(child + 1, this.#times[child], this.#sequence[child])) {
        child++;
      }
      if (!this.#before(child, time, sequence)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, time, this.#keys[last], this.#stamps[last], sequence);
  }

  #before(at: number, time: number, sequence: number): boolean {
    const difference = this.#times[at] - time;
    return difference < 0 || (difference === 0 && this.#sequence[at] < sequence);
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#times[from], this.#keys[from], this.#stamps[from], this.#sequence[from]);
  }

  #set(at: number, time: number, key: number, stamp: number, sequence: number): void {
    this.#times[at] = time;
    this.#keys[at] = key;
    this.#stamps[at] = stamp;
    this.#sequence[at] = sequence;
  }

  #grow(): void {
    const larger = <T extends Float64Array | Int32Array | Uint32Array>(old: T): T => {
      const next = new (old.constructor as new (length: number) => T)(2 * old.length);
      next.set(old);
      return next;
    };
    this.#times = larger(this.#times);
    this.#keys = larger(this.#keys);
    this.#stamps = larger(this.#stamps);
    this.#sequence = larger(this.#sequence);
  }
}
