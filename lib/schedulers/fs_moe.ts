import { anything, expect, record } from "../arguments/mod.ts";
import type { Scheduler } from "./types.ts";
import type { Task, TaskGraph } from "../types.ts";
import { inBlocks } from "./blocks.ts";
import { checkTimes, type ChunkChoice, type ChunkTime, leastOf, ofChunk } from "./chunk_time.ts";

const FS_MOE_CHUNKS_TIMES = record(
  "times of chunks { allToAll, allGather, reduceScatter, expert }",
  {
    allToAll: anything,
    allGather: anything,
    reduceScatter: anything,
    expert: anything,
    expertBackward: anything,
    allReduce: anything,
    most: anything,
  },
);

/** What {@linkcode fsMoeChunks} decides by; stages that a layer does not have take `{ alpha: 0, work: 0 }`. */
export interface FsMoeTimes {
  /** One all-to-all between nodes. */
  readonly allToAll: ChunkTime;
  /** Inside a node before the experts: all-gather, or a phase of 2DH. */
  readonly allGather: ChunkTime;
  /** Inside a node after the experts: reduce-scatter, or a phase of 2DH. */
  readonly reduceScatter: ChunkTime;
  /** The experts of the forward pass. */
  readonly expert: ChunkTime;
  /** The experts of the backward pass; default twice those of the forward pass. */
  readonly expertBackward?: ChunkTime;
  /** Seconds of the gradient all-reduce that shares the links between nodes in the backward pass; default 0. */
  readonly allReduce?: number;
  /** Largest number of chunks; default 8. */
  readonly most?: number;
}

/** Which resource limits the pipeline: one of the four cases of FSMoE. */
export type FsMoeCase = "inter" | "allReduce" | "intra" | "expert";

/**
 * Numbers of chunks of FSMoE (Pan et al., "FSMoE: A Flexible and Scalable Training System for Sparse
 * Mixture-of-Experts Models", ASPLOS'25, arXiv 2501.10714, and its released optimizer), one for each
 * pass. With a, g, s, e for the seconds of a chunk's all-to-all, all-gather, reduce-scatter and experts,
 * and an all-reduce of R seconds that fills gaps between the all-to-alls, r chunks take the largest of
 *
 * - `inter`: 2 r a + g + s;
 * - `allReduce`: 2 r a + R;
 * - `intra`: 2 a + r (g + s);
 * - `expert`: 2 a + g + s + r e.
 *
 * The first one is on the long side when experts are short. The system tries 1, 2, 4 and 8 chunks near
 * the real optimum; here the best integer is taken.
 *
 * ```ts
 * import { fsMoeChunks } from "@schemoe/lab/schedulers";
 * const stage = { alpha: 1, work: 16 };
 * const times = { allToAll: { alpha: 0.5, work: 8 }, allGather: stage, reduceScatter: stage, expert: stage };
 * const { forward, backward } = fsMoeChunks({ ...times, expertBackward: { alpha: 4, work: 90 } });
 * console.assert(forward.limit === "intra" && backward.limit === "expert");
 * ```
 * @throws {SchemoeError} naming a time that is no number of at least 0.
 */
export function fsMoeChunks(
  times: FsMoeTimes,
): { forward: ChunkChoice<FsMoeCase>; backward: ChunkChoice<FsMoeCase> } {
  expect("fsMoeChunks", "times", times, FS_MOE_CHUNKS_TIMES);
  const { allToAll, allGather, reduceScatter, expert, allReduce = 0, most = 8 } = times;
  const twice = { alpha: 2 * expert?.alpha, work: 2 * expert?.work };
  const { expertBackward = twice } = times;
  checkTimes({ allToAll, allGather, reduceScatter, expert, expertBackward });
  checkTimes({ allReduce: { alpha: allReduce, work: 0 } });
  const choose = (experts: ChunkTime, reduce: number) =>
    leastOf<FsMoeCase>(most, (r) => {
      const a = ofChunk(allToAll, r);
      const intra = ofChunk(allGather, r) + ofChunk(reduceScatter, r);
      const cases: [FsMoeCase, number][] = [
        ["inter", 2 * r * a + intra],
        ["allReduce", 2 * r * a + reduce],
        ["intra", 2 * a + r * intra],
        ["expert", 2 * a + intra + r * ofChunk(experts, r)],
      ];
      const [limit, seconds] = cases.reduce((most, next) => next[1] > most[1] ? next : most);
      return { limit, seconds };
    });
  return { forward: choose(expert, 0), backward: choose(expertBackward, allReduce) };
}

/**
 * The order of FSMoE: on each lane the phases towards the experts of all chunks, then those back, so that
 * phases between nodes of some chunks run beside phases inside nodes and experts of others; in the
 * backward pass the gradient's all-reduce fills the gap of the inter lane between the two directions.
 * Its chunk counts come from {@linkcode fsMoeChunks}.
 */
export const fsMoE: Scheduler = {
  name: "fsMoE",
  order: (graph) => {
    const filling = gradientReduce(graph);
    return inBlocks(graph, (task) => blockOf(graph, task, filling));
  },
};

function blockOf(graph: TaskGraph, task: Task, filling: ReadonlySet<Task>): number {
  if (task.chunk < 0) return 0;
  if (filling.has(task)) return 2;
  if (task.chunk >= graph.chunks) return 5;
  if (task.label === "C1" || task.label === "A1") return 1;
  return task.label === "D2" ? 4 : 3;
}

/** Tasks after the chunks that need none of them: the gate's gradient and its all-reduce. */
function gradientReduce({ tasks, chunks }: TaskGraph): Set<Task> {
  const free = new Set<Task>();
  for (const task of tasks) {
    if (task.chunk < chunks) continue;
    if (task.after.every((id) => tasks[id].chunk < 0 || free.has(tasks[id]))) free.add(task);
  }
  return free;
}
