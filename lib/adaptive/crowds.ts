/** Programs in which many lanes compute at the same time, for how they share processors. @module */
import { linear } from "../alltoall/mod.ts";
import type { Engine, EventTable, Program } from "../engine.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { gemm } from "../kernels/mod.ts";
import { buildProgram } from "../program/mod.ts";
import { type Lane, LANES, type Task } from "../types.ts";

/**
 * Lanes that multiply at the same time, each one product after another, perhaps beside all-to-alls. Where ranks compute
 * on several processors, as on several GPUs, those of each do the same.
 */
export interface Crowd {
  /** Lanes that multiply on the same processors: first the compute lane of each rank, then the others. */
  readonly lanes: number;
  /** Products of each, and all-to-alls of all ranks, one after another. */
  readonly products: number;
  readonly exchanges: number;
  readonly program: Program;
}

/** Rows of the matrices of products that take part of a millisecond, and of one that takes many. */
const SIZES = {
  cpu: { short: 256, long: 1024 },
  cuda: { short: 1024, long: 4096 },
  simulate: { short: 256, long: 1024 },
};
const IN_A_ROW = 10;
/** Products that take longer than the all-to-alls beside them. */
const BESIDE = 20;
const EXCHANGES = 12;
/** Bytes of a rank in these, in turn. */
const BYTES = [4 << 10, 32 << 10, 256 << 10];

/**
 * Short products on one lane, on the compute lanes of all ranks and on all lanes; a long one on each compute lane;
 * all-to-alls alone, and beside short products of all ranks.
 */
export function crowds(engine: Engine): Crowd[] {
  const { short, long } = SIZES[engine.kind];
  const ranks = groupOf(engine).length;
  const counts = new Set([1, ranks, LANES.length * ranks]);
  const of = (lanes: number, size: number, products: number, exchanges = 0): Crowd => ({
    lanes,
    products,
    exchanges,
    program: crowd(engine, { lanes, size, products, exchanges }),
  });
  return [
    ...Array.from(counts, (lanes) => of(lanes, short, IN_A_ROW)),
    of(ranks, long, 1),
    of(0, short, 0, EXCHANGES),
    of(ranks, short, BESIDE, EXCHANGES),
  ];
}

/** Short products on the compute lanes of all ranks: always the same work, by which the machine's speed is told. */
export function probeProgram(engine: Engine): Program {
  const { short } = SIZES[engine.kind];
  const lanes = groupOf(engine).length;
  return crowd(engine, { lanes, size: short, products: IN_A_ROW, exchanges: 0 });
}

/** What a crowd does. */
interface Doing {
  readonly lanes: number;
  readonly size: number;
  readonly products: number;
  readonly exchanges: number;
}

function crowd(engine: Engine, { lanes, size, products, exchanges }: Doing): Program {
  const { topology, topology: { ranks } } = engine;
  const together = groupOf(engine).length;
  const places = placesOf(engine);
  const g = new GraphBuilder(topology, "forward", Math.max(1, exchanges));
  for (const [i, lane] of LANES.entries()) {
    const used = Math.min(together, lanes - i * together);
    if (used > 0) multiply(g, { lane, uses: (rank) => places[rank] < used, size, products });
  }
  let after: readonly Task[] = [];
  for (let chunk = 0; chunk < exchanges; chunk++) {
    const bytes = BYTES[chunk % BYTES.length];
    after = g.allToAll({
      label: "A",
      chunk,
      stage: 0,
      after,
      algorithm: linear,
      sliceBytes: Math.ceil(bytes / ranks),
      input: g.buffer(`input ${bytes}`, bytes + ranks),
      output: g.buffer(`output ${bytes}`, bytes + ranks),
      scratch: `scratch ${bytes}`,
    });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "alone");
}

/** Ranks that compute on the same processors as the first one. */
export function groupOf({ topology: { ranks }, processors }: Engine): number[] {
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  return processors ? all.filter((rank) => processors[rank] === processors[0]) : all;
}

/** Of each rank, how many before it compute on the same processors. */
function placesOf({ topology: { ranks }, processors }: Engine): number[] {
  const before = new Map<number, number>();
  return Array.from({ length: ranks }, (_, rank) => {
    const group = processors?.[rank] ?? 0;
    const place = before.get(group) ?? 0;
    before.set(group, place + 1);
    return place;
  });
}

function multiply(g: GraphBuilder, { lane, uses, size, products }: {
  readonly lane: Lane;
  readonly uses: (rank: number) => boolean;
  readonly size: number;
  readonly products: number;
}): void {
  const [a, b, c] = ["a", "b", "c"].map((name) => ({
    ...g.buffer(`${lane} ${name}`, 4 * size * size),
    groups: 1,
    rows: size,
    columns: size,
    ld: size,
    stride: size * size,
  }));
  const kernel = gemm(a, b, c);
  let after: Task[] = [];
  for (let i = 0; i < products; i++) {
    after = [g.add({
      kind: "opaque",
      label: `${lane} ${i}`,
      lane,
      chunk: -1,
      stage: i,
      after,
      flops: 2 * size ** 3,
      rankFlops: (rank) => uses(rank) ? 2 * size ** 3 : 0,
      uses: [a, b, c],
      kernels: (rank) => uses(rank) ? [kernel] : [],
    })];
  }
}

/** A crowd and what its runs took, of the ranks that compute on the same processors as the first, by place among these. */
export interface CrowdRuns {
  readonly crowd: Crowd;
  readonly runs: EventTable[];
}

/** The events of a run of a crowd that tell how processors are shared. */
export function crowdEvents(engine: Engine, events: EventTable): EventTable {
  if (!engine.processors) return events;
  const places = new Map(groupOf(engine).map((rank, place) => [rank, place]));
  const kept = Array.from(events.rank.keys()).filter((i) => places.has(events.rank[i]));
  const { position, rank, ready, start, end, wait, paced } = events;
  const times = (column: Float64Array) => Float64Array.from(kept, (i) => column[i]);
  return {
    position: Uint32Array.from(kept, (i) => position[i]),
    rank: Uint32Array.from(kept, (i) => places.get(rank[i])!),
    ready: times(ready),
    start: times(start),
    end: times(end),
    wait: times(wait),
    ...(paced ? { paced: times(paced) } : {}),
  };
}
