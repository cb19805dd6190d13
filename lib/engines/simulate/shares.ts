/** What ranks share: processors, network cards and the uplinks of leaf switches. @module */
import { cardBeta, cardOf, cardsPerNode, leafOf, spineBeta, uplinkBeta } from "../../costs/mod.ts";
import type { Topology } from "../../types.ts";
import type { Columns } from "./meeting.ts";
import { SharedRate } from "./shared_rate.ts";

/** Shared rates by column, in which the members are lanes. */
export class Shares {
  readonly #processor: (SharedRate | undefined)[] = [];
  readonly #card: SharedRate[] = [];
  readonly #uplinks: (SharedRate | undefined)[] = [];
  /** Rate of a card in that of a rank with all uplinks to itself. */
  readonly #cardToSpine: number;

  constructor(topology: Topology, { ranks }: Columns) {
    const { sharing, nic, spine, links, ranksPerNode } = topology;
    // where lanes take turns there are no shares
    const shared = sharing?.turns ? undefined : sharing;
    const processors = (shared?.capacity ?? []).map((capacity) => new SharedRate(capacity));
    const atOnce = nic && nic.beta > 0 ? Math.max(1, links.inter.beta / nic.beta) : Infinity;
    const cards = new Map<number, SharedRate>();
    const leaves = new Map<number, SharedRate>();
    const members = new Map<number, number>();
    for (let column = 0; column < ranks.length && spine; column++) {
      const leaf = leafOf(topology, ranks[column]);
      members.set(leaf, (members.get(leaf) ?? 0) + 1);
    }
    for (let column = 0; column < ranks.length; column++) {
      const rank = ranks[column];
      this.#processor.push(shared && processors[shared.of[rank]]);
      const card = Math.floor(rank / ranksPerNode) * cardsPerNode(topology) +
        cardOf(topology, rank);
      this.#card.push(made(cards, card, atOnce));
      if (!spine) continue;
      const leaf = leafOf(topology, rank);
      // a leaf has the uplinks of the ranks that are simulated: the others do the same
      const capacity = members.get(leaf)! * spineBeta(topology) / uplinkBeta(topology);
      this.#uplinks.push(made(leaves, leaf, Number.isNaN(capacity) ? Infinity : capacity));
    }
    this.#cardToSpine = spine && cardBeta(topology) > 0
      ? spineBeta(topology) / cardBeta(topology)
      : 1;
  }

  processorOf(column: number): SharedRate | undefined {
    return this.#processor[column];
  }

  cardOf(column: number): SharedRate {
    return this.#card[column];
  }

  uplinksOf(column: number): SharedRate | undefined {
    return this.#uplinks[column];
  }

  /** Part of its full rate that a rank gets across the spine: through its card and its leaf's uplinks. */
  acrossSpine(column: number): number {
    return Math.min(
      this.#uplinks[column]!.share,
      Math.min(1, this.#card[column].share * this.#cardToSpine),
    );
  }
}

function made(known: Map<number, SharedRate>, key: number, capacity: number): SharedRate {
  let found = known.get(key);
  if (!found) known.set(key, found = new SharedRate(capacity));
  return found;
}
