/** Errors of runs, with names instead of numbers. @module */
import type { Program, Workspace } from "../engine.ts";
import { FIRST_REGION } from "../program/words.ts";
import { SchemoeError } from "../types.ts";
import { withNames } from "./failure.ts";
import type { HostLoop } from "./hosts.ts";
import type { NativeWorkspace } from "./workspace.ts";

/** Puts the names of tasks and buffers where the native library could only count, and the host's exception. */
export function explain(
  error: unknown,
  { program, workspace, regions, hosts }: {
    program: Program;
    workspace: Workspace;
    regions: readonly string[];
    hosts?: HostLoop;
  },
): unknown {
  if (!(error instanceof SchemoeError)) return error;
  const { status } = error;
  if (hosts?.failure && status === 5) {
    const { task, rank, cause } = hosts.failure;
    const text = cause instanceof Error ? cause.message : String(cause);
    return new SchemoeError(
      `Cannot run task ${task} on rank ${rank}: its host function failed: ${text}`,
      {
        status,
        rank,
        cause,
      },
    );
  }
  return withNames(error, {
    task: (position) => program.order[position]?.name,
    buffer: (id) =>
      id >= FIRST_REGION ? regions[id - FIRST_REGION] : (workspace as NativeWorkspace).nameOf(id),
  });
}
