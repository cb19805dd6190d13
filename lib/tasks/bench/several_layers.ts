/** Layers with experts over the GPUs of this machine, by carriers and schedules, beside PyTorch with NCCL. @module */
import type { Engine } from "../../engine.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import { createLayer, type MoeLayer } from "../../layer/mod.ts";
import { topology } from "../../topology.ts";
import { SchemoeError } from "../../types.ts";
import { carrierOf, transportsOf } from "./nccl_engine.ts";
import type { SeveralGpus } from "./options.ts";
import { hundredths, type Report, type Row } from "./report.ts";
import { SeveralPeer } from "./several_peer.ts";
import {
  ALONE,
  configOf,
  flopsOf,
  SCHEDULES,
  type SeveralSchedule,
  type SeveralShape,
  shapesNamed,
} from "./several_shapes.ts";
import {
  type Alone,
  aloneOf,
  type Repetitions,
  type SeveralTimes,
  timeSchedule,
} from "./several_times.ts";

/** As often as PyTorch, after as long. */
const FIRST: Repetitions = { repetitions: 20, warm: 0.5 };
/** Of the schedules that follow another on the same GPUs, which are warm. */
const LATER: Repetitions = { repetitions: 20, warm: 0.1 };
/** Of the values that all engines and PyTorch begin with. */
const SEED = 1;

/** What moves bytes, by name. */
export type Carriers = Readonly<Record<string, () => Engine>>;

/** A report for each shape, as it is measured. */
export async function* benchSeveralLayers(
  { gpus, seconds = Infinity, shapes }: SeveralGpus,
): AsyncIterable<Report> {
  if (gpus < 2) throw new SchemoeError("Experts over one GPU have nothing to send: give --gpus 2");
  const world = topology({ nodes: 1, ranksPerNode: gpus });
  const devices = Array.from({ length: gpus }, (_, i) => i);
  const carriers = Object.fromEntries(
    transportsOf({ devices }).toReversed().map((transport) => [
      carrierOf(transport),
      () => openCudaEngine({ topology: world, devices, ...transport }),
    ]),
  );
  const folder = await Deno.makeTempDir();
  try {
    await using peer = new SeveralPeer({ folder, ranks: gpus, device: "cuda" });
    peer.start().catch(() => {}); // what went wrong is said where it is needed
    const began = performance.now();
    const until = began + 1e3 * seconds;
    const note = (text: string) =>
      console.error(`layers: ${text} after ${((performance.now() - began) / 1e3).toFixed(1)} s`);
    for (const shape of shapesNamed(shapes)) {
      if (performance.now() > until) {
        note(`no time is left for ${shape.name}`);
        continue;
      }
      yield await reportOf(shape, { carriers, peer, ranks: gpus, note });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How a shape is measured. */
export interface SeveralOptions {
  readonly carriers: Carriers;
  readonly peer?: SeveralPeer;
  readonly ranks: number;
  readonly first?: Repetitions;
  readonly later?: Repetitions;
  /** Told what is done. */
  readonly note?: (text: string) => void;
}

/** All carriers and schedules of one shape; what fails is a row that says so. */
export async function reportOf(
  shape: SeveralShape,
  { carriers, peer, ranks, first = FIRST, later = LATER, note = () => {} }: SeveralOptions,
): Promise<Report> {
  const rows: Row[] = [];
  let torch: Row | undefined;
  for (const [carrier, open] of Object.entries(carriers)) {
    const named = { shape: shape.name, carrier };
    try {
      using engine = open();
      using layer = createLayer(engine, configOf(shape), { seed: SEED });
      await layer.ready();
      // The first one's values are those of all.
      torch ??= peer ? await torchOf(peer, layer, shape, { again: first, note }) : {};
      for (const row of await scheduleRows(layer, shape, { first, later })) {
        rows.push({ ...named, ...row, ...overTorch(row, torch) });
      }
    } catch (error) {
      rows.push({ ...named, failure: message(error) });
    }
    note(`${shape.name} by ${carrier} done`);
  }
  const { name: _name, ...sizes } = shape;
  return {
    name: "layers",
    configuration: {
      ...sizes,
      ...{ world: `1 x ${ranks}`, expert: "swiglu", rows: "dropless" },
      ...{ repetitions: first.repetitions, warmSeconds: first.warm },
      ms:
        "medians: on the GPUs (forward, backward), and by the clock of the process with all that the host does (wall)",
      products: "of the experts, and transfers: in the sequential order of the same carrier",
      bound: "the longer of products and transfers; of: its share of the time",
      TFLOPs: "of a GPU, of the experts' products in both passes",
      over: "PyTorch's time for both passes, of the slowest rank, over that of the process",
      ...torch,
    },
    rows,
  };
}

/** Times of PyTorch and our errors beside it, as far as it comes. */
async function torchOf(
  peer: SeveralPeer,
  layer: MoeLayer,
  shape: SeveralShape,
  { again, note }: { readonly again: Repetitions; readonly note: (text: string) => void },
): Promise<Row> {
  const row: Record<string, string | number | boolean> = {};
  const parts: Record<string, () => Promise<Row | void>> = {
    "PyTorch started": () => peer.about(),
    "values handed over": () => peer.load(layer, shape),
    "PyTorch timed": () => peer.eager(again),
    "results compared": () => peer.errors(layer),
    "PyTorch compiled and timed": () => peer.compiled(again),
  };
  try {
    for (const [done, part] of Object.entries(parts)) {
      Object.assign(row, await part());
      note(`${shape.name}: ${done}`);
    }
  } catch (error) {
    row.torchFailure = message(error);
  }
  return row;
}

/** A row for each schedule that the experts of a rank allow. */
async function scheduleRows(
  layer: MoeLayer,
  shape: SeveralShape,
  { first, later }: Required<Pick<SeveralOptions, "first" | "later">>,
): Promise<Row[]> {
  const { ranks } = layer.layer.topology;
  const rows: Row[] = [];
  let alone: Readonly<Record<"forward" | "backward", Alone>> | undefined;
  for (const schedule of SCHEDULES.filter(({ experts }) => experts <= shape.experts / ranks)) {
    try {
      const times = await timeSchedule(layer, schedule, schedule === ALONE ? first : later);
      if (schedule === ALONE) {
        const { forward, backward } = times;
        alone = { forward: aloneOf(forward.run), backward: aloneOf(backward.run) };
      }
      rows.push(rowOf(schedule, times, { alone, flops: flopsOf(shape, ranks) / ranks }));
    } catch (error) {
      rows.push({ schedule: schedule.name, failure: message(error) });
    }
  }
  return rows;
}

function rowOf(
  schedule: SeveralSchedule,
  { forward, backward }: SeveralTimes,
  { alone, flops }: {
    readonly alone?: Readonly<Record<"forward" | "backward", Alone>>;
    readonly flops: number;
  },
): Row {
  const both = forward.makespan + backward.makespan;
  const bound = ({ products, transfers }: Alone) => Math.max(products, transfers);
  const { forward: f, backward: b } = alone ?? {};
  return {
    schedule: schedule.name,
    ...{ forward: thousandths(forward.makespan), backward: thousandths(backward.makespan) },
    ...{ forwardWall: thousandths(forward.wall), backwardWall: thousandths(backward.wall) },
    ...{ forwardHidden: hundredths(forward.hidden), backwardHidden: hundredths(backward.hidden) },
    ...(f && b
      ? {
        ...{ forwardProducts: thousandths(f.products), backwardProducts: thousandths(b.products) },
        forwardTransfers: thousandths(f.transfers),
        backwardTransfers: thousandths(b.transfers),
        ...{ forwardBound: thousandths(bound(f)), backwardBound: thousandths(bound(b)) },
        ofForwardBound: hundredths(bound(f) / forward.makespan),
        ofBackwardBound: hundredths(bound(b) / backward.makespan),
      }
      : {}),
    ...(f && b && schedule === ALONE ? { forwardParts: f.parts, backwardParts: b.parts } : {}),
    forwardTFLOPs: hundredths(flops / forward.makespan / 1e9),
    TFLOPs: hundredths(3 * flops / both / 1e9),
  };
}

/** How many times longer PyTorch takes for both passes. */
function overTorch(row: Row, torch: Row): Row {
  const ours = Number(row.forwardWall) + Number(row.backwardWall);
  const times = { overEager: torch.eagerBoth, overCompiled: torch.compileBoth };
  return Object.fromEntries(
    Object.entries(times).filter(([, both]) => both !== undefined && !Number.isNaN(ours))
      .map(([name, both]) => [name, hundredths(Number(both) / ours)]),
  );
}

const message = (error: unknown): string => (error as Error).message;

const thousandths = (ms: number): number => Math.round(1e3 * ms) / 1e3;
