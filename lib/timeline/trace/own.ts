/** Slices that `chromeTrace` wrote, as rows. @module */
import { SchemoeError } from "../../types.ts";
import { shown } from "./fields.ts";
import type { TraceRow } from "./rows.ts";
import type { Slice } from "./slices.ts";

/** @throws {SchemoeError} naming the event and the argument that is missing or changed. */
export function ownRow({ args, process, number }: Slice, file: string): TraceRow {
  const fail = (name: string, value: unknown = args[name]): never => {
    throw new SchemoeError(
      `Cannot import the trace ${file}: event ${number} has ${name} ${
        shown(value)
      }; it was changed`,
    );
  };
  const text = (name: string) => typeof args[name] === "string" ? args[name] : fail(name);
  const exact = (name: string) => Number.isFinite(args[name]) ? args[name] as number : fail(name);
  const count = (name: string) => {
    const value = exact(name);
    return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : fail(name);
  };
  const positive = (name: string) => exact(name) >= 0 ? exact(name) : fail(name);
  if (!/^\d{1,9}$/.test(process)) return fail("pid", process);
  const start_ns = exact("start_ns");
  const end_ns = exact("end_ns") >= start_ns ? exact("end_ns") : fail("end_ns");
  return {
    rank: Number(process),
    node: count("node"),
    name: text("task"),
    label: text("label"),
    pass: text("pass"),
    lane: text("lane"),
    kind: text("kind"),
    chunk: args.chunk === undefined ? null : count("chunk"),
    ready_ns: exact("ready_ns"),
    start_ns,
    end_ns,
    wait_ns: positive("wait_ns"),
    ...(args.paced_ns === undefined ? {} : { paced_ns: positive("paced_ns") }),
    bytes: positive("bytes"),
    flops: positive("flops"),
    deps: args.deps === undefined ? null : text("deps"),
  };
}
