/** Slices that `chromeTrace` wrote, as rows. @module */
import { SchemoeError } from "../../types.ts";
import type { TraceRow } from "./rows.ts";
import type { Slice } from "./slices.ts";

/** @throws {SchemoeError} naming the event and the argument that is missing or changed. */
export function ownRow({ args, process, number }: Slice, file: string): TraceRow {
  const fail = (name: string): never => {
    throw new SchemoeError(
      `Cannot import the trace ${file}: event ${number} has ${name} ${
        JSON.stringify(args[name])
      }; it was changed`,
    );
  };
  const text = (name: string) => typeof args[name] === "string" ? args[name] : fail(name);
  const exact = (name: string) => Number.isFinite(args[name]) ? args[name] as number : fail(name);
  const rank = process;
  if (typeof rank !== "number" || !Number.isInteger(rank) || rank < 0) return fail("device");
  return {
    ...{ rank, node: exact("node"), name: text("task"), label: text("label") },
    ...{ pass: text("pass"), lane: text("lane"), kind: text("kind") },
    chunk: args.chunk === undefined ? null : exact("chunk"),
    ...{ ready_ns: exact("ready_ns"), start_ns: exact("start_ns"), end_ns: exact("end_ns") },
    ...{ wait_ns: exact("wait_ns"), bytes: exact("bytes"), flops: exact("flops") },
    deps: args.deps === undefined ? null : text("deps"),
  };
}
