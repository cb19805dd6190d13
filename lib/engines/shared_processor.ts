/**
 * A processor that runs up to `capacity` tasks at full speed and shares itself equally among more.
 * Its clock advances by the work that each active task gets done, so every task ends at a known reading.
 */
export class SharedProcessor {
  /** Changes whenever the time of the next end does. */
  stamp = 0;
  #clock = 0;
  #since = 0;
  readonly #tasks: { readonly key: number; readonly end: number }[] = [];

  constructor(readonly capacity: number) {}

  get active(): number {
    return this.#tasks.length;
  }

  /** Time at which the next task ends if none is added. */
  get nextEnd(): number {
    return this.#since + (this.#tasks[0].end - this.#clock) / this.#rate;
  }

  start(time: number, key: number, seconds: number): void {
    this.#advance(time);
    const task = { key, end: this.#clock + seconds };
    const at = this.#tasks.findIndex(({ end }) => end > task.end);
    this.#tasks.splice(at < 0 ? this.#tasks.length : at, 0, task);
    this.stamp++;
  }

  /** Takes out the task that ends now. */
  finish(time: number): number {
    const { key, end } = this.#tasks.shift()!;
    this.#clock = end;
    this.#since = time;
    this.stamp++;
    return key;
  }

  get #rate(): number {
    return Math.min(1, this.capacity / this.active);
  }

  #advance(time: number): void {
    if (this.active > 0) this.#clock += (time - this.#since) * this.#rate;
    this.#since = time;
  }
}
