import { anything, expect, record } from "../arguments/mod.ts";
import type { Scheduler } from "./types.ts";
import { checkTimes, type ChunkChoice, type ChunkTime, leastOf, ofChunk } from "./chunk_time.ts";
import { optSche } from "./opt_sche.ts";

const PIPE_MOE_CHUNKS_TIMES = record("times of chunks { allToAll, expert }", {
  allToAll: anything,
  expert: anything,
  most: anything,
});

/** What {@linkcode pipeMoeChunks} decides by. */
export interface PipeMoeTimes {
  /** One of the two all-to-alls. */
  readonly allToAll: ChunkTime;
  /** All computation of the experts. */
  readonly expert: ChunkTime;
  /** Largest number of chunks; default 8. */
  readonly most?: number;
}

/** Which of the cases of PipeMoE a number of chunks falls in; `whole` is a pass of one chunk. */
export type PipeMoeCase = "whole" | "communication" | "computation" | "mixed";

/**
 * The number of chunks of PipeMoE (Shi, Pan, Chu and Li, "PipeMoE: Accelerating Mixture-of-Experts
 * through Adaptive Pipelining", INFOCOM'23) and the time it predicts. With a and e for the seconds of a
 * chunk's all-to-all and experts, r chunks take
 *
 * - `communication` when e <= a: 2 r a;
 * - `computation` when e > a and r e >= 2 (r - 1) a: 2 a + r e, least at r = sqrt(2 work_a / alpha_e);
 * - `mixed`, otherwise: 2 r a.
 *
 * The paper relaxes r to a real number and rounds; here the best integer is taken.
 *
 * ```ts
 * import { pipeMoeChunks } from "@schemoe/lab/schedulers";
 * const expert = { alpha: 1, work: 100 };
 * const { chunks, limit } = pipeMoeChunks({ allToAll: { alpha: 0, work: 8 }, expert });
 * console.assert(chunks === 4 && limit === "computation"); // sqrt(2 * 8 / 1)
 * ```
 * @throws {SchemoeError} naming a time that is no number of at least 0.
 */
export function pipeMoeChunks(times: PipeMoeTimes): ChunkChoice<PipeMoeCase> {
  expect("pipeMoeChunks", "times", times, PIPE_MOE_CHUNKS_TIMES);
  const { allToAll, expert, most = 8 } = times;
  checkTimes({ allToAll, expert });
  return leastOf<PipeMoeCase>(most, (r) => {
    const a = ofChunk(allToAll, r);
    const e = ofChunk(expert, r);
    if (r === 1) return { seconds: 2 * a + e, limit: "whole" };
    if (e <= a) return { seconds: 2 * r * a, limit: "communication" };
    if (r * e >= 2 * (r - 1) * a) return { seconds: 2 * a + r * e, limit: "computation" };
    return { seconds: 2 * r * a, limit: "mixed" };
  });
}

/**
 * The order of PipeMoE: all-to-alls to the experts of all chunks, then those back, each as soon as ready,
 * and experts in between. PipeMoE has no codecs; with them the order is that of {@linkcode optSche}, and
 * without them both are the same. Its chunk count comes from {@linkcode pipeMoeChunks}.
 */
export const pipeMoE: Scheduler = {
  name: "pipeMoE",
  order: (graph, costs) => optSche.order(graph, costs),
};
