/**
 * Traffic of all-to-alls in worlds too large to list every slice of every rank: counted once, kept as a few numbers a
 * rank and which ranks meet for each pair of nodes; nothing of size ranks x ranks.
 * @module
 */
import { crossing } from "../../costs/mod.ts";
import type { Topology, TrafficPattern } from "../../types.ts";
import type { KnownPlans } from "../known.ts";
import { cut } from "../parts.ts";
import { flowsOf } from "../planned/flows.ts";
import { phaseName, reject } from "../plan.ts";
import type { AllToAll, TrafficMatrix } from "../types.ts";
import { Places } from "./pairs.ts";
import { PhaseCount } from "./phase.ts";

/** An exchange of which only the traffic matters. */
export interface CountedExchange {
  readonly algorithm: AllToAll;
  readonly topology: Topology;
  readonly traffic: TrafficMatrix;
  readonly plans: KnownPlans;
}

/** Ranks that are counted by themselves: more take less time at once, all phases of a rank's plan together. */
const MOST_ALONE = 64;

/**
 * Patterns of the phases of an exchange, counted for all ranks when the first of them is asked for; where `alone` can
 * count the phases of a rank by itself, not before more than {@linkcode MOST_ALONE} ranks or all at once (`nodePairs`)
 * are asked for.
 * @throws {SchemoeError} (then) for an algorithm that has no routes or ways and passes slices on by other ranks.
 */
export function countedTraffic(
  exchange: CountedExchange,
  alone?: (phase: number) => TrafficPattern,
): TrafficPattern[] {
  let counted: Required<TrafficPattern>[] | undefined;
  const all = () => counted ??= count(exchange);
  return Array.from({ length: exchange.plans.phases(0).length }, (_, phase): TrafficPattern => {
    const one = alone?.(phase);
    const asked = new Set<number>();
    const at = (rank: number) => {
      if (!counted && one && (asked.has(rank) || asked.size < MOST_ALONE)) {
        asked.add(rank);
        return one;
      }
      return all()[phase];
    };
    return {
      of: (rank) => at(rank).of(rank),
      peers: (rank) => at(rank).peers(rank),
      get nodePairs() {
        return all()[phase].nodePairs;
      },
    };
  });
}

function count(exchange: CountedExchange): Required<TrafficPattern>[] {
  const { algorithm, topology, plans } = exchange;
  const places = new Places();
  const crosses = crossing(topology);
  const { routed, ways } = algorithm;
  const order = { repeated: !routed && ways !== undefined };
  const phases = plans.phases(0).map(() => new PhaseCount(topology, places, crosses, order));
  if (routed) countRoutes(exchange, phases);
  else if (ways) countWays(exchange, phases);
  else countSteps(exchange, phases);
  return phases.map((phase) => phase.pattern());
}

/** Messages of the routes, in the phases that `phasesOf` writes them to. */
function countRoutes(
  { algorithm, topology, traffic, plans }: CountedExchange,
  phases: readonly PhaseCount[],
): void {
  const { nodes, ranksPerNode: m, ranks } = topology;
  const inside = phases[nodes === 1 ? 0 : 1];
  for (let rank = 0; rank < ranks; rank++) {
    const first = Math.floor(rank / m) * m;
    for (let peer = first; peer < first + m; peer++) {
      const bytes = traffic.bytes(rank, peer);
      if (bytes === 0) continue;
      if (peer === rank) inside.copy(rank, bytes);
      else inside.message(rank, peer, bytes);
    }
  }
  const planning = algorithm.routed!({ topology, traffic });
  const { between } = flowsOf(topology, traffic);
  const [spread] = phases;
  for (let node = 0; node < nodes; node++) {
    for (let other = 0; other < nodes; other++) {
      if (between[node * nodes + other] === 0) continue;
      for (const route of planning.routes(node, other)) {
        const { source, destination, out, in: into, stage } = route;
        const { bytes } = cut(route, traffic.bytes(source, destination), plans.parts);
        if (bytes === 0) continue;
        if (out !== source) spread.message(source, out, bytes);
        phases[2 + 2 * stage].message(out, into, bytes);
        if (into !== destination) phases[3 + 2 * stage].message(into, destination, bytes);
      }
    }
  }
}

/** Moves of each slice on its way by other ranks, pair of nodes by pair of nodes. */
function countWays(
  { algorithm, topology, traffic }: CountedExchange,
  phases: readonly PhaseCount[],
): void {
  const { nodes, ranksPerNode: m } = topology;
  const way = algorithm.ways!(topology);
  let bytes = 0;
  const move = (phase: number, from: number, to: number) => {
    if (from === to) phases[phase].copy(from, bytes);
    else phases[phase].message(from, to, bytes);
  };
  for (let node = 0; node < nodes; node++) {
    for (let other = 0; other < nodes; other++) {
      for (let source = node * m; source < (node + 1) * m; source++) {
        for (let destination = other * m; destination < (other + 1) * m; destination++) {
          bytes = traffic.bytes(source, destination);
          if (bytes > 0) way(source, destination, move);
        }
      }
    }
  }
}

/** Messages of the steps of every rank, where all go from input to output. */
function countSteps(
  { algorithm, topology: { ranks }, traffic, plans }: CountedExchange,
  phases: readonly PhaseCount[],
): void {
  const expected = phases.map(() => new Uint32Array(ranks));
  for (let rank = 0; rank < ranks; rank++) {
    for (const [phase, { steps }] of plans.phases(rank).entries()) {
      const carried = plans.carried(rank, phase);
      for (const [i, step] of steps.entries()) {
        const slices = (step.kind === "receive" ? step.to : step.from).count ?? 1;
        for (let k = 0; k < slices; k++) {
          const slice = carried(i, k);
          const all = traffic.bytes(Math.floor(slice / ranks), slice % ranks);
          const { bytes } = cut(step, all, plans.parts);
          if (bytes === 0) continue;
          if (step.kind === "copy") phases[phase].copy(rank, bytes);
          else if (step.kind === "receive") expected[phase][rank]++;
          else phases[phase].message(rank, step.peer, bytes);
        }
      }
    }
  }
  for (const [phase, count] of phases.entries()) {
    const odd = expected[phase].findIndex((receives, rank) => receives !== count.received(rank));
    if (odd < 0) continue;
    reject(
      algorithm,
      odd,
      `receives ${expected[phase][odd]} slices in phase "${
        phaseName(plans.phases(0)[phase])
      }", in which ${
        count.received(odd)
      } are sent to it; each send needs a receive in the same phase`,
    );
  }
}
