/** Times of the stages of a pass as functions of the number of chunks. @module */
import { aGraph, expect, record, someCosts } from "../arguments/mod.ts";
import type { Costs } from "../costs/types.ts";
import { SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { quoted } from "../words.ts";

/** Chunks that are tried at most; each has operations of its own. */
const MOST_CHUNKS = 2 ** 16;

const COSTED = record("a graph with its costs { graph, costs }", {
  graph: aGraph,
  costs: someCosts,
});

/** One of r chunks takes `alpha + work / r` seconds: the start-up, and the work of a whole pass. */
export interface ChunkTime {
  /** Seconds that each chunk costs, however small. */
  readonly alpha: number;
  /** Seconds of the whole, divided among the chunks. */
  readonly work: number;
}

/** What limits a number of chunks, and the seconds it is predicted to take. */
export interface ChunkChoice<Limit extends string> {
  /** Best number of chunks. */
  readonly chunks: number;
  /** Time of the pass with them, by the model. */
  readonly seconds: number;
  /** What bounds it. */
  readonly limit: Limit;
}

/** Seconds of one of `chunks` chunks. */
export const ofChunk = ({ alpha, work }: ChunkTime, chunks: number): number =>
  alpha + work / chunks;

/** The stages that {@linkcode fitChunkTimes} tells apart. */
export interface StageFits {
  /** One all-to-all, all its phases. */
  readonly allToAll: ChunkTime;
  /** All computation of a chunk: experts and codecs. */
  readonly expert: ChunkTime;
  /** Phases between nodes of one all-to-all. */
  readonly inter: ChunkTime;
  /** Phases inside a node on the way to the experts. */
  readonly intraOut: ChunkTime;
  /** Phases inside a node on the way back. */
  readonly intraBack: ChunkTime;
}

/** A graph and its costs, such as of a run. */
export interface CostedGraph {
  /** The tasks. */
  readonly graph: TaskGraph;
  /** Seconds of each. */
  readonly costs: Costs;
}

/**
 * Start-up times and work of the stages, from the same pass split into two different numbers of chunks.
 * Negative start-up times, which noise can give, become 0.
 * @throws {SchemoeError} when both have the same number of chunks, or there are none.
 */
export function fitChunkTimes(a: CostedGraph, b: CostedGraph): StageFits {
  expect("fitChunkTimes", "a", a, COSTED);
  expect("fitChunkTimes", "b", b, COSTED);
  const [few, many] = [a.graph.chunks, b.graph.chunks];
  if (few < 1 || many < 1 || few === many) {
    throw new SchemoeError(
      `Cannot fit times of chunks: two different numbers of chunks are needed, got ${few} and ${many}`,
    );
  }
  const [atFew, atMany] = [stageSeconds(a), stageSeconds(b)];
  const fit = (stage: keyof StageFits): ChunkTime => {
    const work = Math.max(0, (atFew[stage] - atMany[stage]) / (1 / few - 1 / many));
    return { work, alpha: Math.max(0, atFew[stage] - work / few) };
  };
  return {
    allToAll: fit("allToAll"),
    expert: fit("expert"),
    inter: fit("inter"),
    intraOut: fit("intraOut"),
    intraBack: fit("intraBack"),
  };
}

/** Mean seconds of each stage over chunks. */
function stageSeconds({ graph, costs }: CostedGraph): Record<keyof StageFits, number> {
  const inChunks = graph.tasks.filter(({ chunk }) => chunk >= 0 && chunk < graph.chunks);
  const mean = (keep: (task: Task) => boolean) =>
    inChunks.filter(keep).reduce((sum, task) => sum + costs.seconds(task), 0) / graph.chunks;
  const phases = (label: string, lane: Task["lane"]) =>
    mean((task) => task.label === label && task.lane === lane);
  const labels = ["A1", "A2"];
  return {
    allToAll: labels.reduce((sum, label) => sum + exchangeSeconds(graph, costs, label), 0) /
      labels.length,
    expert: mean(({ lane }) => lane === "compute"),
    inter: (phases("A1", "inter") + phases("A2", "inter")) / labels.length,
    intraOut: phases("A1", "intra"),
    intraBack: phases("A2", "intra"),
  };
}

/** Mean length of the longest chain of phases of an all-to-all. */
function exchangeSeconds(graph: TaskGraph, costs: Costs, label: string): number {
  const ends = new Map<number, number>();
  const longest = new Float64Array(graph.chunks);
  for (const task of graph.tasks) {
    if (task.label !== label || task.chunk < 0 || task.chunk >= graph.chunks) continue;
    const end = task.after.reduce((latest, id) => Math.max(latest, ends.get(id) ?? 0), 0) +
      costs.seconds(task);
    ends.set(task.id, end);
    longest[task.chunk] = Math.max(longest[task.chunk], end);
  }
  return longest.reduce((a, b) => a + b, 0) / graph.chunks;
}

/** The number of chunks from 1 to `most` that takes least by a prediction; of equals the smallest. */
export function leastOf<Limit extends string>(
  most: number,
  predict: (chunks: number) => { seconds: number; limit: Limit },
): ChunkChoice<Limit> {
  if (!Number.isInteger(most) || most < 1) {
    throw new SchemoeError(
      `Cannot choose the number of chunks: "most" must be a positive integer, got ${quoted(most)}`,
    );
  }
  if (most > MOST_CHUNKS) {
    throw new SchemoeError(
      `Cannot choose the number of chunks: "most" must be at most ${MOST_CHUNKS}, got ${most}`,
    );
  }
  let best = { chunks: 1, ...predict(1) };
  for (let chunks = 2; chunks <= most; chunks++) {
    const next = predict(chunks);
    if (next.seconds < best.seconds) best = { chunks, ...next };
  }
  return best;
}

/** @throws {SchemoeError} naming the time that is no number of at least 0. */
export function checkTimes(times: Readonly<Record<string, ChunkTime>>): void {
  for (const [name, time] of Object.entries(times)) {
    for (const field of ["alpha", "work"] as const) {
      const seconds = time?.[field];
      if (!(typeof seconds === "number" && seconds >= 0 && seconds < Infinity)) {
        const problem = `${name}.${field} is ${quoted(seconds)}, a number of at least 0 is needed`;
        throw new SchemoeError(`Cannot choose the number of chunks: ${problem}`);
      }
    }
  }
}
