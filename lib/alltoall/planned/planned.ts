/** All-to-alls that plan routes by the traffic. @module */
import type { Topology } from "../../types.ts";
import type { AllToAll, Planning, Route, TrafficMatrix } from "../types.ts";
import { evenTraffic } from "./flows.ts";
import { phasesOf } from "./routes.ts";

/** An all-to-all whose plan is written from the routes that `make` gives; equal slices if there is no traffic. */
export function planned(
  { name, parts, make }: {
    readonly name: string;
    readonly parts?: number;
    make(topology: Topology, traffic: TrafficMatrix): Planning;
  },
): AllToAll {
  const routed = (
    { topology, traffic }: { readonly topology: Topology; readonly traffic: TrafficMatrix },
  ) => planningOf(name, topology, traffic, () => make(topology, traffic));
  return {
    name,
    byTraffic: true,
    ...(parts ? { parts } : {}),
    routed,
    plan: ({ rank, topology, traffic = even(topology) }) =>
      phasesOf({ rank, topology }, routed({ topology, traffic })),
  };
}

const evens = new WeakMap<Topology, TrafficMatrix>();

/** The even matrix of a topology, the same object each time. */
function even(topology: Topology): TrafficMatrix {
  let traffic = evens.get(topology);
  if (!traffic) evens.set(topology, traffic = evenTraffic(topology));
  return traffic;
}

const plannings = new WeakMap<TrafficMatrix, Map<string, WeakMap<Topology, Planning>>>();

/** The planning of an algorithm for a matrix, made once, its routes kept while the world is small. */
function planningOf(
  name: string,
  topology: Topology,
  traffic: TrafficMatrix,
  make: () => Planning,
): Planning {
  let names = plannings.get(traffic);
  if (!names) plannings.set(traffic, names = new Map());
  let worlds = names.get(name);
  if (!worlds) names.set(name, worlds = new WeakMap());
  let planning = worlds.get(topology);
  if (!planning) {
    worlds.set(topology, planning = topology.ranks <= KEPT_RANKS ? kept(make()) : make());
  }
  return planning;
}

/** Larger worlds make the routes of a node pair when they are asked for. */
const KEPT_RANKS = 256;

function kept({ stages, routes }: Planning): Planning {
  const known = new Map<number, readonly Route[]>();
  return {
    stages,
    routes(from, to) {
      const key = from * KEPT_RANKS + to;
      let found = known.get(key);
      if (!found) known.set(key, found = routes(from, to));
      return found;
    },
  };
}
