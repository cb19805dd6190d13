/**
 * Whether a process that goes on for long takes ever more: runs, engines opened and closed, and dropless
 * routings in one process, with resident memory, JavaScript heap, descriptors and threads over time.
 *
 * usage: deno task soak [--quick] [--out FOLDER]
 *
 * Writes `soak.svg`, and `soak.jsonl` with a line for each phase, into `out` or FOLDER; fails where a phase
 * takes more in its last quarter than in its second one. `--quick` does some hundred of each. The task fixes
 * the size of V8's nursery (`--max-semi-space-size`), whose growth would look like a leak of 40 MiB.
 * @module
 */
import { parseArgs } from "node:util";
import { SchemoeError } from "../types.ts";
import { machine } from "./bench/report.ts";
import { argumentProblem, task, taskArguments } from "./build/command.ts";
import { soakSvg } from "./soak/chart.ts";
import { ALLOWED, ALLOWED_SHORT } from "./soak/growth.ts";
import { phasesOf, SHORT, WHOLE } from "./soak/phases.ts";
import { soak, type Soaked } from "./soak/soak.ts";

const USAGE = "usage: deno task soak [--quick] [--out FOLDER]";
/** Version of the JSON lines. */
const SCHEMA = 1;
const MIB = 2 ** 20;
/** Looks from one line of progress to the next. */
const SAID = 10;

if (import.meta.main) {
  await task(async () => {
    const { quick, out } = options();
    startSignals();
    let looks = 0;
    const phases = await soak(phasesOf(quick ? SHORT : WHOLE), {
      ...quick ? { looks: 24, allowed: ALLOWED_SHORT } : { looks: 120, allowed: ALLOWED },
      progress(name, done, { resident, heap, descriptors, threads }) {
        if (looks++ % SAID !== 0) return;
        console.log(
          `${name} ${done}: ${inMib(resident)} MiB resident, ${inMib(heap)} MiB heap, ` +
            `${descriptors} descriptors, ${threads} threads`,
        );
      },
    });
    Deno.mkdirSync(out, { recursive: true });
    const lines = phases.map((phase) => JSON.stringify(lineOf(phase)));
    Deno.writeTextFileSync(`${out}/soak.jsonl`, `${lines.join("\n")}\n`);
    const title = "Runs, engines and routings in one process";
    Deno.writeTextFileSync(`${out}/soak.svg`, `${await soakSvg(title, phases)}\n`);
    console.log(lines.join("\n"));
    const leaking = phases.filter(({ leaks }) => leaks.length > 0);
    if (leaking.length === 0) return;
    throw new SchemoeError(
      `The process takes ever more: ${
        leaking.map(({ name, leaks }) => `${leaks.join(", ")} while it did ${name}`).join("; ")
      }`,
    );
  });
}

/**
 * The runtime begins its thread for signals, with two descriptors, half a second after the process or with the first
 * listener. So that it is there before the first look.
 */
function startSignals(): void {
  const heard = () => {};
  Deno.addSignalListener("SIGINT", heard);
  Deno.removeSignalListener("SIGINT", heard);
}

function inMib(bytes: number): number {
  return Math.round(10 * bytes / MIB) / 10;
}

/** The JSON line of a phase. */
function lineOf({ name, count, seconds, usage, growth, leaks }: Soaked) {
  const last = usage.at(-1)!;
  return {
    schema: SCHEMA,
    bench: "soak",
    phase: name,
    count,
    seconds,
    level: leaks.length === 0,
    "resident MiB": inMib(last.resident),
    "heap MiB": inMib(last.heap),
    descriptors: last.descriptors,
    threads: last.threads,
    growth: {
      "resident MiB": inMib(growth.resident),
      "heap MiB": inMib(growth.heap),
      "external MiB": inMib(growth.external),
      descriptors: growth.descriptors,
      threads: growth.threads,
    },
    configuration: { engine: "cpu, 2 ranks, plain links", growth: "second to last quarter" },
    machine: machine(),
  };
}

function options(): { quick: boolean; out: string } {
  try {
    const { values } = parseArgs({
      args: taskArguments(USAGE),
      options: { quick: { type: "boolean" }, out: { type: "string" } },
    });
    return { quick: values.quick ?? false, out: values.out ?? "out" };
  } catch (error) {
    throw new SchemoeError(`${argumentProblem(error)}\n${USAGE}`);
  }
}
