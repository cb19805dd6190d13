/** Programs of all-to-alls and nothing else. @module */
import { GraphBuilder, sentBytes } from "../../graph/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Engine, Program } from "../../engine.ts";
import type { Task, TaskGraph, Topology } from "../../types.ts";
import { secondsOf } from "./parts.ts";
import { median } from "./report.ts";

const WARM_UP = 2;
const ROUNDS = 7;

/** Exchanges of the same size one after the other, each with buffers of its own. */
export function exchanges(
  world: Topology,
  algorithm: AllToAll,
  { bytes, count }: { bytes: number; count: number },
): Program {
  const g = new GraphBuilder(world, "forward", count);
  let after: Task[] = [];
  for (let chunk = 0; chunk < count; chunk++) {
    after = g.allToAll({
      label: "A",
      chunk,
      stage: 0,
      after,
      algorithm,
      sliceBytes: bytes / world.ranks,
      scratch: `scratch.${chunk}`,
      input: g.buffer(`input.${chunk}`, bytes),
      output: g.buffer(`output.${chunk}`, bytes),
    });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "one after another");
}

/** Median seconds of one exchange. */
export const secondsOfOne = async (engine: Engine, program: Program): Promise<number> =>
  median(await timesOfOne(engine, program));

/** Seconds of one exchange, run after run. */
export async function timesOfOne(engine: Engine, program: Program): Promise<number[]> {
  const workspace = engine.workspace();
  try {
    const times: number[] = [];
    for (let i = 0; i < WARM_UP + ROUNDS; i++) {
      const seconds = secondsOf(await engine.run(program, workspace));
      if (i >= WARM_UP) times.push(seconds / program.graph.chunks);
    }
    return times;
  } finally {
    workspace.free();
  }
}

/** Bytes that the rank that sends most sends over links, in all phases. */
export function busiestRank({ tasks, topology: { ranks } }: TaskGraph): number {
  const sent = Array.from(
    { length: ranks },
    (_, rank) => tasks.reduce((sum, task) => sum + sentBytes(task.transfers!(rank)), 0),
  );
  return Math.max(...sent);
}

/**
 * Bus bandwidth of an all-to-all in bytes a second, as nccl-tests counts it: `(P - 1) / P` of what a rank
 * holds goes over links, whatever the algorithm sends.
 */
export const busBytesPerSecond = (bytes: number, seconds: number, ranks: number): number =>
  ((ranks - 1) / ranks) * bytes / seconds;
