/** Where the experts of a layer are computed: slots of ranks, some experts with copies. @module */
import type { Placement } from "../placements/types.ts";
import { SchemoeError, type Topology } from "../types.ts";
import type { ExpertGroups } from "./expert_groups.ts";
import { quoted } from "../words.ts";

/**
 * A placement on the ranks of a layer. Parameters stay on the ranks that hold them without it (their own rank);
 * a pass copies the weights of guests, experts of other ranks, and returns their gradients.
 */
export interface PlacedExperts {
  /** That of the placement. */
  readonly name: string;
  /** Slots of each rank, whether taken or not. */
  readonly each: number;
  /** Most guests of a rank. */
  readonly mostGuests: number;
  /** Whether each expert is on one rank of a group and each rank has equally many: nothing is dealt out. */
  readonly regular: boolean;
  /** Experts of a rank by slot: its own ones in rising order, then its guests likewise. */
  slots(rank: number): readonly number[];
  /** Experts of a rank whose parameters are on another one, in rising order. */
  guests(rank: number): readonly number[];
  /** Rank of the own group on which the parameters of an expert are. */
  home(rank: number, expert: number): number;
  /** Ranks of the own group with an expert: its own rank, if it has it, then the others in rising order. */
  holders(rank: number, expert: number): readonly number[];
  /**
   * Slots of the group (`place * each + slot`) among which a rank deals out its tokens for an expert, one after
   * another: its own copy, else those in its node, else all; beginning with the copy of the rank's own number.
   */
  targets(rank: number, expert: number): readonly number[];
}

/** What a placement is for. */
interface PlacedOn {
  readonly experts: number;
  readonly groups: ExpertGroups;
  readonly topology: Topology;
}

/**
 * Checks a placement for the ranks of a layer; undefined where it leaves all experts where they are.
 * @throws {SchemoeError} naming expert and rank: on no rank of a group, not there, of another world.
 */
export function resolvePlacement(
  placement: Placement | undefined,
  on: PlacedOn,
): PlacedExperts | undefined {
  if (placement === undefined) return undefined;
  const { experts, groups, topology: { ranks } } = on;
  checkForm(placement, on);
  const given = placement.slots;
  const local = experts / groups.size;
  const lists = Array.from({ length: ranks }, (_, rank) => {
    const all = [...new Set(given[given.length === ranks ? rank : groups.place(rank)])];
    const own = (expert: number) => Math.floor(expert / local) === groups.place(rank);
    const rising = all.toSorted((a, b) => a - b);
    return [...rising.filter(own), ...rising.filter((expert) => !own(expert))];
  });
  const placed = new Placed(placement.name, lists, on);
  return placed.moves ? placed : undefined;
}

function checkForm(placement: Placement, on: PlacedOn): void {
  if (Object(placement) !== placement || typeof placement === "function") {
    fail(
      `placement must be a value such as eplb(loads, topology, { slotsPerRank: 5 }), got ${
        quoted(placement)
      }`,
    );
  }
  const { name, slots, experts: own } = placement;
  const { experts, groups: { size }, topology: { ranks } } = on;
  if (typeof name !== "string" || name === "") {
    fail(`a placement must have a name, got ${quoted(name)}`);
  }
  if (!Array.isArray(slots) || (slots.length !== ranks && slots.length !== size)) {
    fail(
      `the placement "${name}" has slots of ${slots?.length} ranks; give those of ` +
        (size === ranks ? `all ${ranks}` : `the ${size} ranks of a group, or of all ${ranks}`),
    );
  }
  if (own !== experts) {
    fail(`the placement "${name}" is for ${own} experts, the layer has ${experts}`);
  }
  for (const [rank, list] of slots.entries()) {
    if (!Array.isArray(list)) {
      fail(`the placement "${name}" has no list of experts of rank ${rank}`);
    }
    const odd = list.find((e: unknown) =>
      !(Number.isInteger(e) && Number(e) >= 0 && Number(e) < experts)
    );
    if (odd !== undefined) {
      fail(
        `the placement "${name}" puts expert ${odd} on rank ${rank}; they are 0 to ${experts - 1}`,
      );
    }
  }
}

class Placed implements PlacedExperts {
  readonly each: number;
  readonly mostGuests: number;
  readonly regular: boolean;
  readonly #guests: readonly (readonly number[])[];
  /** Ranks with an expert, by group and expert. */
  readonly #holders: readonly (readonly (readonly number[])[])[];
  readonly #targets = new Map<number, readonly number[]>();

  constructor(
    readonly name: string,
    readonly lists: readonly (readonly number[])[],
    readonly on: PlacedOn,
  ) {
    const { experts, groups } = on;
    this.each = lists.reduce((most, { length }) => Math.max(most, length), 0);
    const first = Array.from(
      { length: groups.count },
      (_, copy) => lists.findIndex((_, rank) => groups.copy(rank) === copy),
    );
    this.#guests = lists.map((list, rank) => list.filter((e) => this.home(rank, e) !== rank));
    this.#holders = first.map((member) => {
      const found: number[][] = Array.from({ length: experts }, () => []);
      for (const rank of groups.members(member)) {
        for (const expert of lists[rank]) {
          if (this.home(rank, expert) === rank) found[expert].unshift(rank);
          else found[expert].push(rank);
        }
      }
      const lost = found.findIndex(({ length }) => length === 0);
      if (lost >= 0) {
        const where = groups.count > 1 ? ` of the group of rank ${member}` : "";
        fail(`the placement "${name}" has expert ${lost} on no rank${where}`);
      }
      return found;
    });
    this.mostGuests = this.#guests.reduce((most, { length }) => Math.max(most, length), 0);
    this.regular = lists.every(({ length }) => length === this.each) &&
      this.#holders.every((group) => group.every(({ length }) => length === 1));
  }

  /** Whether anything is not where it is without a placement. */
  get moves(): boolean {
    return this.mostGuests > 0;
  }

  slots(rank: number): readonly number[] {
    return this.lists[rank];
  }

  guests(rank: number): readonly number[] {
    return this.#guests[rank];
  }

  home(rank: number, expert: number): number {
    const { experts, groups } = this.on;
    return groups.members(rank)[Math.floor(expert * groups.size / experts)];
  }

  holders(rank: number, expert: number): readonly number[] {
    return this.#holders[this.on.groups.copy(rank)][expert];
  }

  targets(rank: number, expert: number): readonly number[] {
    const key = rank * this.on.experts + expert;
    let found = this.#targets.get(key);
    if (!found) this.#targets.set(key, found = this.#deal(rank, expert));
    return found;
  }

  #deal(rank: number, expert: number): number[] {
    const { groups, topology: { ranksPerNode } } = this.on;
    const node = (r: number) => Math.floor(r / ranksPerNode);
    const all = this.holders(rank, expert).toSorted((a, b) => a - b);
    const near = all.filter((r) => node(r) === node(rank));
    const to = all.includes(rank) ? [rank] : near.length ? near : all;
    return to.map((_, i) => {
      const holder = to[(rank + i) % to.length];
      return groups.place(holder) * this.each + this.lists[holder].indexOf(expert);
    });
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
