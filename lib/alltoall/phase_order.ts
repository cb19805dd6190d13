/** Which phases come before which. @module */
import type { Phase } from "./types.ts";
import { phasesBefore } from "./plan.ts";

/** In place of a phase: when all is done. */
export const END = -1;

/** The partial order of phases: reachability along `after`. */
export class PhaseOrder {
  readonly #count: number;
  readonly #before: Uint8Array;

  constructor(phases: readonly Pick<Phase, "after">[]) {
    const count = this.#count = phases.length;
    this.#before = new Uint8Array(count * count);
    for (const [after, phase] of phases.entries()) {
      for (const before of phasesBefore(phase, after)) {
        this.#before[before * count + after] = 1;
        for (let p = 0; p < before; p++) {
          if (this.#before[p * count + before]) this.#before[p * count + after] = 1;
        }
      }
    }
  }

  /** Whether a phase is done on a rank before another one, or `END`, begins there. */
  before(a: number, b: number): boolean {
    if (a === END) return false;
    return b === END || this.#before[a * this.#count + b] === 1;
  }
}
