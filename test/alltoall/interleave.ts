/**
 * An executor of plans that runs unordered phases in random order, slice by slice: the oracle of the proof. What can
 * be moved next could also be moved at once, so memory that two such moves use and one writes is a race.
 */
import type { Slice } from "../../mod.ts";
import type { Collective, CollectivePhase } from "../../lib/alltoall/mod.ts";

/** Random numbers from 0 to 1 that a seed determines (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** What can be done next: a phase of a rank begins, or one slice is moved. */
type Action = () => void;

/** A slice that is moved, or slices that are added, and where the result goes. */
interface Move {
  readonly from: [number, Slice];
  readonly added?: readonly Slice[];
  readonly to: [number, Slice];
}

/** Moves that can be made now, by the memory that they use. */
class OpenMoves {
  readonly #uses = new Map<string, { readers: number; writers: number }>();
  raced = false;

  /** Opens a move; what it gives closes it. */
  add({ from: [source, first], added = [], to: [target, last] }: Move): () => void {
    const key = (rank: number, { buffer, index }: Slice) => `${rank} ${buffer} ${index}`;
    const written = key(target, last);
    const own = [first, ...added].map((slice) => key(source, slice));
    const read = new Set(own.filter((place) => place !== written));
    for (const place of read) this.#at(place).readers++;
    this.#at(written).writers++;
    for (const place of [...read, written]) {
      const { readers, writers } = this.#at(place);
      this.raced ||= writers > 0 && readers + writers > 1;
    }
    return () => {
      for (const place of read) this.#at(place).readers--;
      this.#at(written).writers--;
    };
  }

  #at(place: string) {
    let uses = this.#uses.get(place);
    if (!uses) this.#uses.set(place, uses = { readers: 0, writers: 0 });
    return uses;
  }
}

/** What an all-to-all must do, as a collective. */
const allToAll = (ranks: number): Goal => ({
  inputs: () => ranks,
  outputs: () => ranks,
  terms: (rank, from) => [[from, rank]],
});

type Goal = Pick<Collective, "inputs" | "outputs" | "terms">;

/** Sums in one order, whatever the order of their terms. */
const sum = (terms: readonly string[]) => terms.flatMap((term) => term.split("+")).sort().join("+");

/** Plans of all ranks, taken apart once and run many times. */
export class Interleaver {
  readonly #ranks: number;
  /** Of each phase: its moves of single slices, with the ranks whose phase must have begun. */
  readonly #moves: Move[][] = [];
  /** Why nobody could run it. */
  readonly broken: string | undefined;

  constructor(
    readonly plans: readonly (readonly CollectivePhase[])[],
    readonly goal: Goal = allToAll(plans.length),
  ) {
    this.#ranks = plans.length;
    try {
      for (const phase of plans[0].keys()) this.#moves.push(this.#collect(phase));
    } catch (error) {
      this.broken = (error as Error).message;
    }
  }

  /** True when the outputs are right after one random interleaving, in which nothing raced. */
  run(random: () => number): boolean {
    if (this.broken) return false;
    const ranks = this.#ranks;
    const { goal } = this;
    const content = (rank: number) => ({
      input: Array.from({ length: goal.inputs(rank) }, (_, to) => `${rank}->${to}`),
      output: Array.from({ length: goal.outputs(rank) }, (_, i) => `old output ${rank} ${i}`),
      scratch: [] as string[],
    });
    const buffers = this.plans.map((_, rank) => content(rank));
    const open = new OpenMoves();
    const read = ([rank, { buffer, index }]: [number, Slice]) =>
      buffers[rank][buffer][index] ?? `old ${buffer} ${rank} ${index}`;
    // What is late waits until nothing else can go on, so that rare orders are not rare.
    const late = [0, 0.1, 0.5, 0.9][Math.floor(random() * 4)];
    const pools: Action[][] = [[], []];
    const offer = (action: Action) => void pools[random() < late ? 1 : 0].push(action);
    const begun = this.plans.map((phases) => phases.map(() => false));
    const left = this.plans.map((phases) => phases.map(() => 0));
    const done = this.plans.map((phases) => phases.map(() => false));
    for (const [phase, moves] of this.#moves.entries()) {
      for (const { from: [source], to: [target] } of moves) {
        left[source][phase]++;
        if (target !== source) left[target][phase]++;
      }
    }
    const after = (phase: number) => this.plans[0][phase].after ?? (phase > 0 ? [phase - 1] : []);
    const offered = this.plans.map((phases) => phases.map(() => false));
    const offerPhases = (rank: number) => {
      for (const phase of this.#moves.keys()) {
        if (offered[rank][phase] || !after(phase).every((before) => done[rank][before])) continue;
        offered[rank][phase] = true;
        offer(() => begin(rank, phase));
      }
    };
    const finish = (rank: number, phase: number) => {
      if (left[rank][phase] > 0 || done[rank][phase]) return;
      done[rank][phase] = true;
      offerPhases(rank);
    };
    const begin = (rank: number, phase: number) => {
      begun[rank][phase] = true;
      for (const { from, added = [], to } of this.#moves[phase]) {
        const [source, target] = [from[0], to[0]];
        const concerns = source === rank || target === rank;
        if (!concerns || !begun[source][phase] || !begun[target][phase]) continue;
        const close = open.add({ from, added, to });
        offer(() => {
          close();
          const terms = [from[1], ...added].map((slice) => read([source, slice]));
          buffers[target][to[1].buffer][to[1].index] = sum(terms);
          left[source][phase]--;
          if (target !== source) left[target][phase]--;
          finish(source, phase);
          finish(target, phase);
        });
      }
      finish(rank, phase);
    };
    for (let rank = 0; rank < ranks; rank++) offerPhases(rank);
    while (pools[0].length + pools[1].length > 0) {
      const pool = pools[0].length ? pools[0] : pools[1];
      const chosen = Math.floor(random() * pool.length);
      const action = pool[chosen];
      pool[chosen] = pool[pool.length - 1];
      pool.pop();
      action();
    }
    const finished = done.every((phases) => phases.every((phase) => phase));
    return finished && !open.raced &&
      buffers.every(({ output }, rank) =>
        output.every((value, i) =>
          value === sum(goal.terms(rank, i).map(([from, index]) => `${from}->${index}`))
        )
      );
  }

  #collect(phase: number) {
    const moves: Move[] = [];
    const sends = new Map<string, Slice[]>();
    const add = (source: number, from: Slice, target: number, to: Slice) => {
      if ((from.count ?? 1) !== (to.count ?? 1)) throw new Error("sizes differ");
      for (let k = 0; k < (from.count ?? 1); k++) {
        moves.push({
          from: [source, this.#inside(source, { buffer: from.buffer, index: from.index + k })],
          to: [target, this.#inside(target, { buffer: to.buffer, index: to.index + k })],
        });
      }
    };
    for (const [rank, phases] of this.plans.entries()) {
      for (const step of phases[phase].steps) {
        if (step.kind !== "send") continue;
        if (step.peer === rank || !(step.peer in this.plans)) throw new Error("no such peer");
        const key = `${rank} ${step.peer}`;
        sends.set(key, [...sends.get(key) ?? [], step.from]);
      }
    }
    for (const [rank, phases] of this.plans.entries()) {
      for (const step of phases[phase].steps) {
        if (step.kind === "send") continue;
        if (step.kind === "copy") add(rank, step.from, rank, step.to);
        else if (step.kind === "reduce") {
          const [first, ...added] = step.from.map((slice) => this.#inside(rank, slice));
          moves.push({ from: [rank, first], added, to: [rank, this.#inside(rank, step.to)] });
        } else {
          const from = sends.get(`${step.peer} ${rank}`)?.shift();
          if (!from) throw new Error("waits for ever for a send");
          add(step.peer, from, rank, step.to);
        }
      }
    }
    if ([...sends.values()].some((list) => list.length)) {
      throw new Error("waits for ever for a receive");
    }
    return moves;
  }

  #inside(rank: number, slice: Slice): Slice {
    const { inputs, outputs } = this.goal;
    const limits = { input: inputs(rank), output: outputs(rank), scratch: Infinity };
    if (slice.index < 0 || slice.index >= limits[slice.buffer]) {
      throw new Error("out of range");
    }
    return slice;
  }
}
