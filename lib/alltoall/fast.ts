import type { AllToAll, Planning, Route, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { planned } from "./planned/planned.ts";
import { flowsOf } from "./planned/flows.ts";
import { PARTS } from "./planned/routes.ts";
import { birkhoff, type Stages } from "./planned/stages.ts";

/** Stages at most, in nodes; the remainder moves in one more. */
const STAGES_PER_NODE = 2;
const MOST_STAGES = 32;

/**
 * FAST (NSDI'26): what a node has for another is spread evenly over its ranks, each sends to the rank of equal
 * place, stage by stage of a Birkhoff decomposition of the bytes between nodes, so that each node has one
 * partner a side; the ranks there pass on what is not theirs while the next stage runs. Stages are capped, the
 * rest moves in a last one.
 */
export const fast: AllToAll = planned({ name: "fast", parts: PARTS, make: planFast });

function planFast(topology: Topology, traffic: TrafficMatrix): Planning {
  const { nodes } = topology;
  const { between } = flowsOf(topology, traffic);
  const most = Math.min(MOST_STAGES, STAGES_PER_NODE * nodes);
  const parts = partsOfPairs(birkhoff(between, nodes, most), nodes);
  let stages = 1;
  for (const list of parts.values()) {
    for (const { stage } of list) stages = Math.max(stages, stage + 1);
  }
  return {
    stages,
    routes: (from, to) =>
      spreadEvenly(topology, traffic, [from, to], parts.get(from * nodes + to) ?? []),
  };
}

/** A stage of a pair, and up to which part of the pair's bytes it goes. */
interface PairStage {
  readonly stage: number;
  readonly end: number;
}

/** Stages of each pair in order, by `from * nodes + to`. */
function partsOfPairs({ stages, rest }: Stages, nodes: number): Map<number, PairStage[]> {
  const found = new Map<number, PairStage[]>();
  const add = (pair: number, stage: number, bytes: number) => {
    let list = found.get(pair);
    if (!list) found.set(pair, list = []);
    list.push({ stage, end: (list.at(-1)?.end ?? 0) + bytes });
  };
  stages.forEach(({ to, bytes }, stage) =>
    to.forEach((column, row) => {
      if (column >= 0) add(row * nodes + column, stage, bytes[row]);
    })
  );
  rest.forEach((bytes, pair) => {
    if (bytes > 0) add(pair, stages.length, bytes);
  });
  for (const [pair, list] of found) {
    const all = list[list.length - 1].end;
    found.set(pair, list.map(({ stage, end }) => ({ stage, end: end / all })));
  }
  return found;
}

/**
 * Rail and stage of each part of the slices of a node pair: a rank's own as far as that is not above the mean,
 * what is more to ranks with less.
 */
function spreadEvenly(
  { ranksPerNode: m }: Topology,
  traffic: TrafficMatrix,
  [from, to]: readonly [number, number],
  stages: readonly PairStage[],
): Route[] {
  const size = new Float64Array(m * m);
  for (let i = 0; i < m * m; i++) {
    size[i] = traffic.bytes(from * m + Math.floor(i / m), to * m + i % m) / PARTS;
  }
  const quota = size.reduce((a, b) => a + b, 0) * PARTS / m;
  const load = new Float64Array(m);
  const rail = new Int32Array(m * m * PARTS).fill(-1);
  const fits = (r: number, bytes: number) => load[r] + bytes / 2 <= quota * (1 + 1e-9);
  for (let unit = 0; unit < rail.length; unit++) {
    const slice = Math.floor(unit / PARTS);
    const own = Math.floor(slice / m);
    if (size[slice] > 0 && !fits(own, size[slice])) continue;
    rail[unit] = own;
    load[own] += size[slice];
  }
  let least = 0;
  for (let unit = 0; unit < rail.length; unit++) {
    if (rail[unit] >= 0) continue;
    const bytes = size[Math.floor(unit / PARTS)];
    if (!fits(least, bytes)) {
      for (let r = 0; r < m; r++) if (load[r] < load[least]) least = r;
    }
    rail[unit] = least;
    load[least] += bytes;
  }
  const stage = stagesOfUnits({ rail, size, load }, stages);
  return merged(m, [from, to], rail, stage);
}

/** Each rail's parts go to the stages in order, in the proportions of the pair. */
function stagesOfUnits(
  { rail, size, load }: { rail: Int32Array; size: Float64Array; load: Float64Array },
  stages: readonly PairStage[],
): Int32Array {
  if (stages.length <= 1) return new Int32Array(rail.length).fill(stages[0]?.stage ?? 0);
  const gone = new Float64Array(load.length);
  const next = new Uint32Array(load.length);
  const last = stages.length - 1;
  return rail.map((r, unit) => {
    const bytes = size[Math.floor(unit / PARTS)];
    const at = load[r] > 0 ? (gone[r] + bytes / 2) / load[r] : 0;
    gone[r] += bytes;
    while (next[r] < last && at >= stages[next[r]].end) next[r]++;
    return stages[next[r]].stage;
  });
}

/** Routes of runs of parts of equal rail and stage. */
function merged(
  m: number,
  [from, to]: readonly [number, number],
  rail: Int32Array,
  stage: Int32Array,
): Route[] {
  const routes: Route[] = [];
  for (let slice = 0; slice < m * m; slice++) {
    for (let begin = 0, part = 1; part <= PARTS; part++) {
      const [a, b] = [slice * PARTS + begin, slice * PARTS + part];
      if (part < PARTS && rail[a] === rail[b] && stage[a] === stage[b]) continue;
      routes.push({
        source: from * m + Math.floor(slice / m),
        destination: to * m + slice % m,
        out: from * m + rail[a],
        in: to * m + rail[a],
        stage: stage[a],
        ...(begin === 0 && part === PARTS ? {} : { part: [begin, part] as const }),
      });
      begin = part;
    }
  }
  return routes;
}
