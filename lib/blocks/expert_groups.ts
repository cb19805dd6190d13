/** Expert-parallel groups: which ranks exchange tokens, and which hold copies of the same experts. @module */
import { checkFields } from "../arguments/mod.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { quoted } from "../words.ts";

/** How the ranks of a world share the experts. */
export interface Parallel {
  /** Ranks that hold all experts together and exchange tokens with each other; default: all ranks. */
  readonly expert?: number;
  /** Groups of such ranks, each with a copy of all experts; default: as many as there are. */
  readonly data?: number;
  /**
   * `inside` (default): a group is neighbouring ranks, within a node if it fits. `across`: the ranks of a
   * group are as far apart as can be, and the copies of an expert are neighbours.
   */
  readonly layout?: "inside" | "across";
  /** Ranks that hold parts of each expert (expert tensor parallelism): 1, others are refused so far. */
  readonly tensor?: 1;
}

/** The groups of a world. */
export interface ExpertGroups {
  /** Ranks of a group. */
  readonly size: number;
  /** Groups, and copies of each expert. */
  readonly count: number;
  /** Place of a rank in its group, which says which experts it holds. */
  place(rank: number): number;
  /** Number of a rank's group, and of its copy of the experts. */
  copy(rank: number): number;
  /** Ranks of a rank's group, by place. */
  members(rank: number): readonly number[];
  /** Ranks that hold the same experts as a rank, in rising order. */
  replicas(rank: number): readonly number[];
  /** Whether two ranks exchange tokens. */
  meet(a: number, b: number): boolean;
}

/**
 * Checks the groups of a world.
 * @throws {SchemoeError} when they are not as many ranks as there are, or do not divide the experts.
 */
export function resolveParallel(
  parallel: Parallel = {},
  { experts, topology: { ranks } }: { readonly experts: number; readonly topology: Topology },
): { readonly parallel: Required<Parallel>; readonly groups: ExpertGroups } {
  if (typeof parallel !== "object" || parallel === null) {
    fail(`parallel must be an object such as { expert: 8 }, got ${quoted(parallel)}`);
  }
  const known = ["expert", "data", "layout", "tensor"];
  checkFields(parallel, known, { what: "parallel", of: "a field of parallel", fail });
  if (parallel.tensor !== undefined && parallel.tensor !== 1) {
    fail(
      `parallel.tensor is ${parallel.tensor}: parts of experts on several ranks (expert tensor parallelism) cannot be ` +
        "computed yet; leave it out or 1, and let more ranks hold the experts (parallel.expert)",
    );
  }
  const { layout = "inside" } = parallel;
  if (layout !== "inside" && layout !== "across") {
    fail(`parallel.layout must be inside or across, got ${quoted(layout)}`);
  }
  const { data } = parallel;
  for (const [name, value] of Object.entries({ expert: parallel.expert, data })) {
    if (value === undefined || (Number.isInteger(value) && value >= 1)) continue;
    fail(`parallel.${name} must be a positive integer, got ${quoted(value)}`);
  }
  const size = parallel.expert ?? (data === undefined ? ranks : ranks / data);
  const count = ranks / size;
  for (const [name, value, given] of [["expert", size, parallel.expert], ["data", count, data]]) {
    if (Number.isInteger(value) && Number(value) >= 1 && (given ?? value) === value) continue;
    fail(
      `parallel.${name} is ${
        given ?? value
      }: expert times data must be the ${ranks} ranks of the world`,
    );
  }
  if (experts % size) {
    const hint = parallel.expert === undefined && data === undefined
      ? `; let fewer ranks hold all of them, such as parallel: { expert: ${
        divisor(experts, ranks)
      } }`
      : "";
    fail(`${size} ranks do not divide ${experts} experts; each rank holds equally many${hint}`);
  }
  return {
    parallel: { expert: size, data: count, layout, tensor: 1 },
    groups: layout === "inside" ? near({ size, count }) : far({ size, count }),
  };
}

interface Shape {
  readonly size: number;
  readonly count: number;
}

const range = (count: number, make: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => make(i));

const near = ({ size, count }: Shape): ExpertGroups => ({
  size,
  count,
  place: (rank) => rank % size,
  copy: (rank) => Math.floor(rank / size),
  members: (rank) => range(size, (i) => Math.floor(rank / size) * size + i),
  replicas: (rank) => range(count, (g) => g * size + rank % size),
  meet: (a, b) => Math.floor(a / size) === Math.floor(b / size),
});

const far = ({ size, count }: Shape): ExpertGroups => ({
  size,
  count,
  place: (rank) => Math.floor(rank / count),
  copy: (rank) => rank % count,
  members: (rank) => range(size, (i) => i * count + rank % count),
  replicas: (rank) => range(count, (g) => Math.floor(rank / count) * count + g),
  meet: (a, b) => a % count === b % count,
});

/** The largest number of ranks that divides both. */
function divisor(experts: number, ranks: number): number {
  let size = Math.min(experts, ranks);
  while (experts % size || ranks % size) size--;
  return size;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
