/** Random passes with written-down times, for checks of schedulers and bounds. */
import type { Costs } from "../../costs/types.ts";
import type { Pass, TaskGraph } from "../../types.ts";
import { pipe } from "../../alltoall/mod.ts";
import { topology } from "../../topology.ts";
import { GraphBuilder, type PhaseTimes, type StageTimes, timedGraph } from "../../graph/mod.ts";

/** Random numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One instance; `text` tells how to make it again. */
export interface Instance {
  readonly graph: TaskGraph;
  readonly costs: Costs;
  readonly text: string;
}

export type Phases = "single" | "pipe" | "2dh";

/** Families of random instances. */
export interface InstanceOptions {
  readonly chunks: number;
  readonly pass?: Pass;
  readonly phases?: Phases;
  /** Chunks of two sizes; default equal ones. */
  readonly uneven?: boolean;
  /** Theorem 1's assumption: equal times on the way there and back, one communication lane, forward. */
  readonly symmetric?: boolean;
  /** Tasks before and after the chunks, and in the backward pass a gate gradient; default none. */
  readonly around?: boolean;
}

/**
 * Times from one of three distributions: uniform, with a long tail, or small integers with zeros and
 * ties; communication is made as long as computation in half of the instances.
 */
export function randomInstance(random: () => number, options: InstanceOptions): Instance {
  const { chunks, pass = "forward", phases = "single", uneven, symmetric, around } = options;
  const kind = Math.floor(3 * random());
  const time = () => {
    if (kind === 0) return random();
    if (kind === 1) return -Math.log(1 - random());
    return Math.floor(5 * random());
  };
  const computation = 5;
  const scale = random() < 0.5 ? computation / 2 : 0.5 + 2 * random();
  const exchange = (): number | PhaseTimes =>
    phases === "single"
      ? scale * time()
      : { intra: scale * time(), inter: scale * time(), chained: phases === "2dh" };
  const there = { C1: time(), A1: exchange(), D1: time() };
  const back = symmetric
    ? { C2: there.C1, A2: there.A1, D2: there.D1 }
    : { C2: time(), A2: exchange(), D2: time() };
  const experts = pass === "forward" ? { E: time() } : { Ei: time(), Ew: time() };
  const times: StageTimes = { ...there, ...experts, ...back };
  const larger = 1 + 0.5 * random();
  const sizes = Array.from({ length: chunks }, () => uneven && random() < 0.5 ? larger : 1);
  const extra = around ? { before: time(), after: time() } : {};
  const gate = around && pass === "backward" ? { compute: time(), allReduce: time() } : undefined;
  const made = { pass, chunks: sizes, times, ...extra, gate };
  return { ...timedGraph(made), text: JSON.stringify(made) };
}

/** Two chunks of A1, E, A2 by Pipe-A2A on 2 x 2 ranks, each task and rank with a time of its own. */
export function unequalRanks(
  random: () => number,
  { sameChunks }: { sameChunks: boolean },
): Instance {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const g = new GraphBuilder(world, "forward", 2);
  const view = (buffer: string) => g.buffer(buffer, 4 * world.ranks);
  for (const chunk of [0, 1]) {
    const exchange = (label: string, stage: number, after: Parameters<typeof g.add>[0]["after"]) =>
      g.allToAll({
        label,
        chunk,
        stage,
        after,
        algorithm: pipe,
        sliceBytes: 4,
        scratch: `${label} ${chunk}`,
        input: view(`${label} in ${chunk}`),
        output: view(`${label} out ${chunk}`),
      });
    const there = exchange("A1", 0, []);
    exchange("A2", 2, [g.add({ kind: "expert", label: "E", chunk, stage: 1, after: there })]);
  }
  const graph = g.build({});
  const known = new Map<string, number>();
  const seconds: Costs["seconds"] = (task, rank = 0) => {
    const key = `${sameChunks ? `${task.label} ${task.lane}` : task.name} ${rank}`;
    const value = known.get(key) ?? random();
    known.set(key, value);
    return value;
  };
  return { graph, costs: { source: "random", seconds }, text: "4 unequal ranks" };
}
