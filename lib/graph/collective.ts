/** Collectives with sums as tasks of a graph. @module */
import { type CollectiveProof, proveCollective } from "../alltoall/mod.ts";
import { phaseName, phasesBefore } from "../alltoall/plan.ts";
import type { Collective } from "../alltoall/types.ts";
import type { Task, Topology } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { PlannedValues, type SliceValues } from "./collective_values.ts";

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
  const { collective, label, chunk, stage, after, beside = [] } = exchange;
  const { plans, carried } = proven(collective, g.topology);
  const all = [exchange, ...beside].map((values) =>
    new PlannedValues(values, collective, { plans, carried })
  );
  /** Sum over some of the values, of the rank where it is largest. */
  const most = (of: (values: PlannedValues, rank: number) => number, some = all) =>
    plans.reduce(
      (most, _, rank) => Math.max(most, some.reduce((sum, values) => sum + of(values, rank), 0)),
      0,
    );
  const tasks: Task[] = [];
  const phases = plans[0];
  for (const [index, phase] of phases.entries()) {
    const before = phasesBefore(phase, index);
    const common = {
      ...{ label, chunk, stage, lane: phase.lane },
      name: `${label}[${chunk}] ${phaseName(phase)}`,
      after: before.length ? before.map((i) => tasks[i]) : after,
      uses: all.flatMap(({ values: { input, output, scratch } }) => [input, output, scratch]),
    };
    if (phase.lane !== "compute") {
      const coded = phase.lane === "inter" ? all.filter(({ values }) => values.coding) : [];
      const of = (rank: number) => all.flatMap((values) => values.transfers(rank, index));
      const uses = [...common.uses, ...coded.flatMap((values) => values.wires(g, index))];
      const code = (kind: "compress" | "decompress", after: readonly Task[]) =>
        coded.length === 0 ? after : [g.add({
          ...{ ...common, kind, after, uses, lane: "compute" },
          name: `${label}[${chunk}] ${kind === "compress" ? "encode" : "decode"}`,
          bytes: most((values, rank) => values.codedBytes(rank, index, kind), coded),
          kernels: (rank) => coded.flatMap((values) => values.codes(rank, index, kind)),
        })];
      const ready = code("compress", common.after);
      const arrived = g.add({ ...common, uses, after: ready, kind: "allToAll", transfers: of });
      tasks.push(code("decompress", [arrived])[0]);
      continue;
    }
    tasks.push(g.add({
      ...common,
      kind: "combine",
      flops: most((values, rank) => values.additions(rank, index)),
      rankFlops: (rank) => all.reduce((sum, values) => sum + values.additions(rank, index), 0),
      // each addition reads two values and writes one
      bytes: 3 * most((values, rank) => values.elementBytes * values.additions(rank, index)),
      kernels: (rank) => all.flatMap((values) => values.sums(rank, index)),
    }));
  }
  for (const { values, room } of all) g.buffer(values.scratch, room, "pass");
  const inner = new Set(phases.flatMap(phasesBefore));
  return tasks.filter((_, index) => !inner.has(index));
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
