/** Events by time; those of equal time leave in the order in which they came. */
export class EventHeap {
  readonly #times: number[] = [];
  readonly #keys: number[] = [];
  readonly #stamps: number[] = [];
  readonly #sequence: number[] = [];
  #pushed = 0;

  get size(): number {
    return this.#times.length;
  }

  push(time: number, key: number, stamp: number): void {
    let at = this.#times.length;
    this.#set(at, time, key, stamp, this.#pushed++);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#before(parent, at)) break;
      this.#swap(parent, at);
      at = parent;
    }
  }

  /** Takes the earliest event; the heap must not be empty. */
  pop(): { time: number; key: number; stamp: number } {
    const first = { time: this.#times[0], key: this.#keys[0], stamp: this.#stamps[0] };
    const last = this.size - 1;
    this.#swap(0, last);
    for (const column of [this.#times, this.#keys, this.#stamps, this.#sequence]) column.pop();
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      if (child + 1 < last && this.#before(child + 1, child)) child++;
      if (this.#before(at, child)) break;
      this.#swap(at, child);
      at = child;
    }
    return first;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#times[a] - this.#times[b];
    return difference < 0 || (difference === 0 && this.#sequence[a] < this.#sequence[b]);
  }

  #set(at: number, time: number, key: number, stamp: number, sequence: number): void {
    this.#times[at] = time;
    this.#keys[at] = key;
    this.#stamps[at] = stamp;
    this.#sequence[at] = sequence;
  }

  #swap(a: number, b: number): void {
    const [time, key, stamp, sequence] = [
      this.#times[a],
      this.#keys[a],
      this.#stamps[a],
      this.#sequence[a],
    ];
    this.#set(a, this.#times[b], this.#keys[b], this.#stamps[b], this.#sequence[b]);
    this.#set(b, time, key, stamp, sequence);
  }
}
