/** Collectives with sums as tasks of a graph. @module */
import { aBuilder, aCollective, expect, record, something } from "../arguments/mod.ts";
import { type CollectiveProof, proveCollective } from "../alltoall/mod.ts";
import { phaseName, phasesBefore } from "../alltoall/plan.ts";
import type { Collective, CollectiveCounts } from "../alltoall/types.ts";
import { listedTraffic } from "../costs/mod.ts";
import { SchemoeError, type Task, type Topology, type View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { type CollectiveSizes, CountedSizes, type SliceValues } from "./collective_sizes.ts";
import { PlannedValues, wireName } from "./collective_values.ts";

const ADD_COLLECTIVE_EXCHANGE = record("an exchange { collective, label, chunk, stage, after }", {
  collective: aCollective,
  after: something,
});

/** One collective of a graph. */
export interface CollectiveExchange extends SliceValues {
  /** Label of its tasks; with several phases their names follow. */
  readonly label: string;
  /** Index of its chunk. */
  readonly chunk: number;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  /** Tasks that its first phases depend on. */
  readonly after: readonly Task[];
  /** What is exchanged and added; its plans are proven first. */
  readonly collective: Collective;
  /**
   * What it moves and adds, where rows are counted: the plans are then made and proven when they are to be run, and not
   * for their price alone.
   */
  readonly counts?: CollectiveCounts;
  /** Other values of the same slices, which travel beside them as messages of their own. */
  readonly beside?: readonly SliceValues[];
}

/**
 * Adds the phases of a collective as tasks: transfers on their lanes, sums as kernels. Sums are in the order of
 * their steps, so every schedule and engine gives the same bits. Around a phase between nodes whose values have a
 * `coding` are tasks that code what its ranks send, and decode what they receive.
 *
 * @returns the tasks on which no other phase of this collective depends.
 * @throws {SchemoeError} when a plan is wrong, naming rank, phase and slice.
 */
export function addCollective(g: GraphBuilder, exchange: CollectiveExchange): Task[] {
  expect("addCollective", "g", g, aBuilder);
  expect("addCollective", "exchange", exchange, ADD_COLLECTIVE_EXCHANGE);
  const { collective, counts, label, chunk, stage, after, beside = [] } = exchange;
  const { topology } = g;
  const values = [exchange, ...beside];
  let known: PlannedValues[] | undefined;
  const planned = () =>
    known ??= values.map((of) => new PlannedValues(of, collective, proven(collective, topology)));
  const all: readonly CollectiveSizes[] = counts
    ? values.map((of) => new CountedSizes(of, counts, rowBytesOf(collective, of)))
    : planned();
  /** Sum over some of the values, of the rank where it is largest. */
  const most = (of: (sizes: CollectiveSizes, rank: number) => number, some = all) => {
    let most = 0;
    for (let rank = 0; rank < topology.ranks; rank++) {
      most = Math.max(most, some.reduce((sum, sizes) => sum + of(sizes, rank), 0));
    }
    return most;
  };
  const tasks: Task[] = [];
  const phases = counts?.phases ?? proven(collective, topology).plans[0];
  for (const [index, phase] of phases.entries()) {
    const before = phasesBefore(phase, index);
    const common = {
      ...{ label, chunk, stage, lane: phase.lane },
      name: `${label}[${chunk}] ${phaseName(phase)}`,
      after: before.length ? before.map((i) => tasks[i]) : after,
      uses: values.flatMap(({ input, output, scratch }) => [input, output, scratch]),
    };
    if (phase.lane !== "compute") {
      const coded = phase.lane === "inter" ? all.filter(({ values }) => values.coding) : [];
      const of = (rank: number) => planned().flatMap((values) => values.transfers(rank, index));
      const traffic = counts
        ? listedTraffic(topology, (rank) => all.flatMap((sizes) => sizes.moved(rank, index)))
        : undefined;
      const uses = [...common.uses, ...coded.flatMap((sizes) => wires(g, sizes, index))];
      const code = (kind: "compress" | "decompress", after: readonly Task[]) =>
        coded.length === 0 ? after : [g.add({
          ...{ ...common, kind, after, uses, lane: "compute" },
          name: `${label}[${chunk}] ${kind === "compress" ? "encode" : "decode"}`,
          bytes: most((sizes, rank) => codedBytes(sizes, { rank, phase: index }, kind), coded),
          kernels: (rank) =>
            planned().flatMap((of) => of.values.coding ? of.codes(rank, index, kind) : []),
        })];
      const ready = code("compress", common.after);
      const arrived = g.add({
        ...{ ...common, uses, after: ready, kind: "allToAll", transfers: of },
        ...(traffic ? { traffic } : {}),
      });
      tasks.push(code("decompress", [arrived])[0]);
      continue;
    }
    tasks.push(g.add({
      ...common,
      kind: "combine",
      flops: most((sizes, rank) => sizes.additions(rank, index)),
      rankFlops: (rank) => all.reduce((sum, sizes) => sum + sizes.additions(rank, index), 0),
      // each addition reads two values and writes one
      bytes: 3 * most((sizes, rank) => sizes.elementBytes * sizes.additions(rank, index)),
      kernels: (rank) => planned().flatMap((values) => values.sums(rank, index)),
    }));
  }
  values.forEach(({ scratch }, i) => g.buffer(scratch, () => planned()[i].room, "pass"));
  const inner = new Set(phases.flatMap(phasesBefore));
  return tasks.filter((_, index) => !inner.has(index));
}

function rowBytesOf({ name }: Collective, { rowBytes }: SliceValues): number {
  if (rowBytes !== undefined) return rowBytes;
  throw new SchemoeError(
    `Cannot count the collective "${name}": its values do not say how many bytes a row has (rowBytes)`,
  );
}

/** Declares the buffers of coded rows of a phase. */
function wires(g: GraphBuilder, sizes: CollectiveSizes, phase: number): View[] {
  const { values } = sizes;
  return (["send", "receive"] as const).map((side) => {
    let most = 0;
    for (let rank = 0; rank < g.topology.ranks; rank++) {
      most = Math.max(most, sizes.crossing(rank, phase, side));
    }
    return g.buffer(wireName(values, phase, side), values.coding!.wireBytes * most, "pass");
  });
}

/** Bytes that coding a phase reads and writes. */
function codedBytes(
  sizes: CollectiveSizes,
  { rank, phase }: { readonly rank: number; readonly phase: number },
  kind: "compress" | "decompress",
): number {
  const { rowBytes, wireBytes } = sizes.values.coding!;
  return (rowBytes + wireBytes) *
    sizes.crossing(rank, phase, kind === "compress" ? "send" : "receive");
}

const proofs = new WeakMap<Collective, WeakMap<Topology, CollectiveProof>>();

/** The proof of a collective, made once. */
function proven(collective: Collective, topology: Topology): CollectiveProof {
  let known = proofs.get(collective);
  if (!known) proofs.set(collective, known = new WeakMap());
  let proof = known.get(topology);
  if (!proof) known.set(topology, proof = proveCollective(collective, topology));
  return proof;
}
