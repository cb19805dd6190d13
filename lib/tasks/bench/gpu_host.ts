/** What the host adds to passes on GPUs: their time by the clock beyond that of their operations, by parts. @module */
import { cudaRunner, openNativeCuda } from "../../engines/cuda.ts";
import type { Engine } from "../../engine.ts";
import { createLayer, type MoeLayer } from "../../layer/mod.ts";
import { topology } from "../../topology.ts";
import { SchemoeError } from "../../types.ts";
import { type HostCalls, observed } from "./host_calls.ts";
import type { SeveralGpus } from "./options.ts";
import { secondsOf } from "./parts.ts";
import { median, type Report, type Row } from "./report.ts";
import { configOf, SCHEDULES, SEVERAL_SHAPES } from "./several_shapes.ts";

const REPETITIONS = 50;
/** Passes, and milliseconds of them, before times count. */
const WARM_UPS = 3;
const WARM_MS = 500;
const TIME_LIMIT = 20;
const PASSES = ["forward", "backward"] as const;
const SHAPE = SEVERAL_SHAPES.find(({ name }) => name === "qwen3")!;
/** One task after another, and one that hides transfers. */
const MEASURED = SCHEDULES.filter(({ name }) => /^(sequential|optSche, 2 waves)/.test(name));

/** Which GPU each rank is on, and whether Programs run as graphs where they can. */
export interface HostWorld {
  readonly devices: readonly number[];
  readonly graphs: boolean;
}

/** On one GPU: two ranks by graphs, and one without, as each rank of several GPUs is. */
export const benchGpuHost = (): Promise<Report> =>
  hostReport([{ devices: [0, 0], graphs: true }, { devices: [0], graphs: false }]);

/** A rank on each of several GPUs, where no graph holds a Program. */
export async function* benchSeveralHost({ gpus, shapes }: SeveralGpus): AsyncGenerator<Report> {
  if (shapes) throw new SchemoeError("--shapes is no option of host, which has one layer");
  yield await hostReport([{ devices: Array.from({ length: gpus }, (_, i) => i), graphs: true }]);
}

async function hostReport(worlds: readonly HostWorld[]): Promise<Report> {
  const rows: Row[] = [];
  for (const { devices, graphs } of worlds) {
    const options = {
      topology: topology({ nodes: 1, ranksPerNode: devices.length }),
      ...{ devices, graphs },
    };
    const { native, where } = openNativeCuda(options);
    const { calls, seen } = observed(native);
    using engine = cudaRunner(options, calls, { where });
    const named = { ranks: devices.length, gpus: new Set(devices).size, graphs };
    for (const row of await hostRows(engine, seen)) rows.push({ ...named, ...row });
  }
  const { name: _name, ...sizes } = SHAPE;
  return {
    configuration: {
      ...sizes,
      ...{ expert: "swiglu", rows: "dropless", repetitions: REPETITIONS, warmMs: WARM_MS },
      us: "medians; host: by the clock without what operations take on the GPUs (gpuUs)",
      before: "until a Program is begun, between: two of them, after: the last one",
      begin: "enqueueing all Programs; begun: how many the caller's thread begins itself",
      around:
        "from a Program's begin to its end, without its operations; last: the look that finds the end",
      reads: "of what gates chose, within between",
    },
    rows,
  };
}

/** A row for each schedule and pass. */
async function hostRows(engine: Engine, seen: HostCalls): Promise<Row[]> {
  using layer = createLayer(engine, configOf(SHAPE), { seed: 1 });
  await layer.ready();
  const rows: Row[] = [];
  for (const { name, scheduler, chunks } of MEASURED) {
    const choices = { scheduler, chunks, results: false, timeLimit: TIME_LIMIT };
    const times = { forward: [] as PassParts[], backward: [] as PassParts[] };
    const first = performance.now();
    for (let i = 0; times.backward.length < REPETITIONS; i++) {
      const counts = i >= WARM_UPS && performance.now() - first >= WARM_MS;
      for (const pass of PASSES) {
        const parts = await hostParts(seen, () => layer[pass](choices));
        if (counts) times[pass].push(parts);
      }
    }
    for (const pass of PASSES) rows.push({ schedule: name, pass, ...medians(times[pass]) });
  }
  return rows;
}

/** Milliseconds of one pass. */
export type PassParts = Readonly<
  Record<
    | ("wall" | "gpu" | "host" | "before" | "between" | "after")
    | ("begin" | "around" | "last" | "reads" | "begun"),
    number
  >
>;

/** Runs a pass and tells its parts. */
export async function hostParts(
  seen: HostCalls,
  pass: () => ReturnType<MoeLayer["forward"]>,
): Promise<PassParts> {
  seen.clear();
  const first = performance.now();
  const { ran } = await pass();
  const wall = performance.now() - first;
  const gpu = ran.reduce((sum, { events }) => sum + 1e3 * secondsOf(events), 0);
  const { programs, reads } = seen;
  const sum = (of: (program: typeof programs[number]) => number) =>
    programs.reduce((total, program) => total + of(program), 0);
  return {
    ...{ wall, gpu, host: wall - gpu, reads },
    before: programs[0].first - first,
    between: programs.slice(1).reduce((total, { first }, i) => total + first - programs[i].end, 0),
    after: first + wall - programs.at(-1)!.end,
    begin: sum(({ begin }) => begin),
    around: sum(({ first, end }) => end - first) - gpu,
    last: sum(({ last }) => last),
    begun: sum(({ begun }) => Number(begun)),
  };
}

/** Medians in microseconds; `begun` is a number of Programs. */
function medians(list: readonly PassParts[]): Row {
  const of = (name: keyof PassParts) => median(list.map((parts) => parts[name]));
  const names = Object.keys(list[0]) as (keyof PassParts)[];
  return Object.fromEntries(
    names.map((name) =>
      name === "begun" ? [name, of(name)] : [`${name}Us`, Math.round(1e3 * of(name))]
    ),
  );
}
