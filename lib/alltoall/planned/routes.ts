/** From routes of parts of slices to the phases of each rank. @module */
import type { Phase, Planning, Route, Step } from "../types.ts";
import type { Topology } from "../../types.ts";
import { copy, input, output, receive, scratch, send } from "../slices.ts";
import { range } from "../world.ts";

/** Parts that planned all-to-alls cut a slice into, at most. */
export const PARTS = 8;

/** Makes the routes of a node pair from where each part of each slice goes: runs of parts together. */
export function routesByPart(
  { ranksPerNode: m }: Topology,
  [from, to]: readonly [number, number],
  way: (source: number, destination: number, part: number) => Pick<Route, "out" | "in" | "stage">,
): Route[] {
  const routes: Route[] = [];
  for (let source = from * m; source < (from + 1) * m; source++) {
    for (let destination = to * m; destination < (to + 1) * m; destination++) {
      let begin = 0;
      let current = way(source, destination, 0);
      for (let part = 1; part <= PARTS; part++) {
        const next = part < PARTS ? way(source, destination, part) : undefined;
        const same = next?.out === current.out && next.in === current.in &&
          next.stage === current.stage;
        if (same) continue;
        const { out, stage } = current;
        const whole = begin === 0 && part === PARTS;
        routes.push({
          source,
          destination,
          out,
          in: current.in,
          stage,
          ...(whole ? {} : { part: [begin, part] as const }),
        });
        begin = part;
        if (next) current = next;
      }
    }
  }
  return routes;
}

/**
 * Phases of a rank: `spread` inside the node, slices that stay inside it, then each stage between nodes and
 * what it brought to its place, which may overlap the next stage.
 */
export function phasesOf(
  { rank, topology }: { readonly rank: number; readonly topology: Topology },
  planning: Planning,
): Phase[] {
  const { nodes, ranksPerNode: m } = topology;
  const node = Math.floor(rank / m);
  const held = new Slots(topology, planning);
  const spread: Step[] = [];
  const stages = range(planning.stages, () => ({ between: [] as Step[], deliver: [] as Step[] }));
  const add = (steps: Step[], step: Step, { part }: Route) =>
    steps.push(part ? { ...step, part } : step);
  for (let other = 0; other < nodes; other++) {
    if (other === node) continue;
    for (const [i, route] of planning.routes(node, other).entries()) {
      const { source, destination, out, in: into, stage } = route;
      if (rank !== source && rank !== out) continue;
      const own = input(destination);
      const at = out === source ? own : scratch(held.sent(out, other, i));
      if (out !== source) {
        if (rank === source) add(spread, send(own, out), route);
        else add(spread, receive(at, source), route);
      }
      if (rank === out) add(stages[stage].between, send(at, into), route);
    }
    for (const [i, route] of planning.routes(other, node).entries()) {
      const { source, destination, out, in: into, stage } = route;
      if (rank !== destination && rank !== into) continue;
      const own = output(source);
      const at = into === destination ? own : scratch(held.received(into, other, i));
      if (rank === into) add(stages[stage].between, receive(at, out), route);
      if (into !== destination) {
        if (rank === into) add(stages[stage].deliver, send(at, destination), route);
        else add(stages[stage].deliver, receive(own, into), route);
      }
    }
  }
  return written(topology, { rank, spread, stages });
}

/** Names, lanes and order of the phases, the same for all ranks. */
function written(
  topology: Topology,
  { rank, spread, stages }: {
    rank: number;
    spread: Step[];
    stages: readonly { between: Step[]; deliver: Step[] }[];
  },
): Phase[] {
  const { ranksPerNode: m, nodes } = topology;
  const first = Math.floor(rank / m) * m;
  const inside: Step[] = range(m, (i) => first + i).flatMap((peer): Step[] =>
    peer === rank
      ? [copy(input(rank), output(rank))]
      : [send(input(peer), peer), receive(output(peer), peer)]
  );
  const local: Phase = { name: "inside", lane: "intra", after: [], steps: inside };
  if (nodes === 1) return [local];
  const name = (what: string, i: number) => stages.length > 1 ? `${what} ${i + 1}` : what;
  return [
    { name: "spread", lane: "intra", after: [], steps: spread },
    local,
    ...stages.flatMap(({ between, deliver }, i): Phase[] => [
      { name: name("between", i), lane: "inter", after: [0], steps: between },
      { name: name("deliver", i), lane: "intra", after: [2 + 2 * i], steps: deliver },
    ]),
  ];
}

/** Slices of scratch of ranks that pass others' slices on: numbered node by node, route by route. */
class Slots {
  readonly #counts = new Map<string, Int32Array>();

  constructor(readonly topology: Topology, readonly planning: Planning) {}

  /** Of a rank's sends to a node for others. */
  sent(rank: number, to: number, route: number): number {
    return this.#of("sent", rank, to)[route];
  }

  /** Of a rank's receives from a node for others. */
  received(rank: number, from: number, route: number): number {
    return this.#of("received", rank, from)[route];
  }

  #of(side: "sent" | "received", rank: number, other: number): Int32Array {
    const key = `${side} ${rank} ${other}`;
    const found = this.#counts.get(key);
    if (found) return found;
    this.#number(rank);
    return this.#counts.get(key)!;
  }

  #number(rank: number): void {
    const { nodes, ranksPerNode } = this.topology;
    const node = Math.floor(rank / ranksPerNode);
    let next = 0;
    for (const side of ["sent", "received"] as const) {
      for (let other = 0; other < nodes; other++) {
        if (other === node) continue;
        const routes = side === "sent"
          ? this.planning.routes(node, other)
          : this.planning.routes(other, node);
        this.#counts.set(
          `${side} ${rank} ${other}`,
          Int32Array.from(routes, (route) => {
            const passes = side === "sent"
              ? route.out === rank && route.source !== rank
              : route.in === rank && route.destination !== rank;
            return passes ? next++ : -1;
          }),
        );
      }
    }
  }
}
