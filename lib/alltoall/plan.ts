/** Plans of an all-to-all, rank by rank, each checked to be well formed. @module */
import type {
  AllToAll,
  Collective,
  CollectivePhase,
  Phase,
  Reduce,
  Slice,
  Step,
  TrafficMatrix,
} from "./types.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { callUser } from "../user_code.ts";

/** In larger worlds only the plans of rank 0 and of some ranks asked last are kept. */
const KEPT_RANKS = 512;
/** Enough for the representatives of one node, and the ranks that they are compared with. */
const RECENT_RANKS = 24;
/** Slices of scratch that a rank may name. */
const MOST_SCRATCH = 1 << 20;
/** Parts of a slice. */
const MOST_PARTS = 256;

/** Phases that a phase waits for. */
export const phasesBefore = (phase: Pick<Phase, "after">, index: number): readonly number[] =>
  phase.after ?? (index > 0 ? [index - 1] : []);

/** Name of a phase in tasks and errors. */
export const phaseName = (phase: Pick<CollectivePhase, "name" | "lane">): string =>
  phase.name ?? phase.lane;

/** What plans are of: an all-to-all, or a collective with sums. */
export interface Planned {
  readonly name: string;
  readonly parts?: number;
  /** Present where it is a collective. */
  readonly terms?: unknown;
}

/** Ends the use of an all-to-all or a collective. */
export function reject({ name, terms }: Planned, rank: number, problem: string): never {
  const what = terms === undefined ? "all-to-all" : "collective";
  throw new SchemoeError(`Cannot use the ${what} "${name}": rank ${rank} ${problem}`, { rank });
}

/**
 * The plans of an algorithm, each checked when it is made: lanes, edges, slices and peers that exist, and
 * the same phases as rank 0 has.
 *
 * @throws {SchemoeError} (when a plan is asked for) naming rank, phase and slice.
 */
export function checkedPlans(
  algorithm: AllToAll,
  topology: Topology,
  traffic?: TrafficMatrix,
): (rank: number) => readonly Phase[] {
  const at = traffic && algorithm.byTraffic ? { topology, traffic } : { topology };
  const parts = partsOf(algorithm);
  const kept = new Map<number, readonly Phase[]>();
  let first: readonly Phase[] | undefined;
  const whose = `the all-to-all "${algorithm.name}"`;
  const { ranks } = topology;
  const make = (rank: number): readonly Phase[] => {
    const phases = callUser(
      whose,
      `plan of rank ${rank}`,
      () => algorithm.plan({ rank, ...at }),
    );
    if (!first) first = rank === 0 ? phases : make(0);
    checkPlan(algorithm, phases, { rank, first, parts, ranks, inputs: ranks, outputs: ranks });
    return phases;
  };
  return (rank) => {
    const found = kept.get(rank);
    if (found) return found;
    const phases = make(rank);
    kept.set(rank, phases);
    if (topology.ranks > KEPT_RANKS && kept.size > RECENT_RANKS) {
      // the oldest but rank 0
      for (const old of kept.keys()) {
        if (old === 0) continue;
        kept.delete(old);
        break;
      }
    }
    return phases;
  };
}

/** The plans of all ranks of a collective, likewise checked. @throws {SchemoeError} naming rank, phase and slice. */
export function collectivePlans(
  collective: Collective,
  topology: Topology,
): readonly (readonly CollectivePhase[])[] {
  const { ranks } = topology;
  const parts = partsOf(collective);
  const plans: (readonly CollectivePhase[])[] = [];
  const whose = `the collective "${collective.name}"`;
  for (let rank = 0; rank < ranks; rank++) {
    for (const side of ["inputs", "outputs"] as const) {
      const count = callUser(whose, side, () => collective[side](rank));
      if (Number.isInteger(count) && count >= 0) continue;
      reject(collective, rank, `has ${count} ${side}, an integer of at least 0 is needed`);
    }
    const phases = callUser(
      whose,
      `plan of rank ${rank}`,
      () => collective.plan({ rank, topology }),
    );
    plans.push(phases);
    const [inputs, outputs] = [collective.inputs(rank), collective.outputs(rank)];
    checkPlan(collective, phases, { rank, first: plans[0], parts, ranks, inputs, outputs });
  }
  return plans;
}

/** What the plan of a rank may name. */
interface Limits {
  readonly rank: number;
  /** The plan of rank 0. */
  readonly first: readonly CollectivePhase[];
  readonly parts: number;
  readonly ranks: number;
  readonly inputs: number;
  readonly outputs: number;
}

function checkPlan(
  algorithm: Planned,
  phases: readonly CollectivePhase[],
  limits: Limits,
): void {
  const { rank, first } = limits;
  if (phases === first) checkPhases(algorithm, phases);
  else if (!Array.isArray(phases) || !sameShape(phases, first)) {
    reject(
      algorithm,
      rank,
      "has other phases than rank 0; a phase may be empty on a rank, not missing",
    );
  }
  for (const phase of phases) {
    if (!Array.isArray(phase.steps)) {
      reject(algorithm, rank, `has no array "steps" in phase "${phaseName(phase)}"`);
    }
    const fail = (problem: string) =>
      reject(algorithm, rank, `${problem} in phase "${phaseName(phase)}"`);
    for (const step of phase.steps) {
      if (algorithm.terms !== undefined && step?.kind === "reduce") {
        checkReduce(step, phase, limits, fail);
        continue;
      }
      checkStep(step as Step, limits, fail);
      if (phase.lane === "compute") fail(`has a ${step.kind}; on the lane compute there are sums`);
      if (step.part !== undefined) checkPart(step as Step, limits.parts, fail);
    }
  }
}

function checkReduce(
  { from, to, part }: Reduce,
  { lane }: CollectivePhase,
  limits: Limits,
  fail: (problem: string) => never,
): void {
  if (lane !== "compute") fail(`adds on the lane ${lane}; sums belong on the lane compute`);
  if (!Array.isArray(from) || from.length < 2) fail("adds fewer than two slices (use a copy)");
  for (const slice of [...from, to]) {
    checkSlice(slice, limits, fail);
    if ((slice.count ?? 1) !== 1) fail(`adds ${slice.count} slices at once`);
  }
  if (part !== undefined) checkPart({ kind: "receive", to, peer: 0, part }, limits.parts, fail);
}

/** Checks names, lanes and edges of rank 0's phases, which all ranks have. */
function checkPhases(algorithm: Planned, phases: readonly CollectivePhase[]): void {
  const fail = (problem: string) => reject(algorithm, 0, problem);
  if (!Array.isArray(phases) || phases.length === 0) {
    fail("has no phases; a plan is an array of at least one");
  }
  const names = new Set<string>();
  for (const [i, phase] of phases.entries()) {
    const adds = algorithm.terms !== undefined;
    if (
      phase?.lane !== "intra" && phase?.lane !== "inter" && !(adds && phase?.lane === "compute")
    ) {
      const lanes = adds ? "intra, inter and compute" : "intra and inter";
      fail(`puts phase ${i} on the lane "${phase?.lane}"; there are ${lanes}`);
    }
    if (phase.name !== undefined && typeof phase.name !== "string") {
      fail(`calls phase ${i} "${phase.name}", a name must be text`);
    }
    if (phase.after !== undefined && !Array.isArray(phase.after)) {
      fail(`lets phase ${i} come after "${phase.after}", an array of earlier phases is needed`);
    }
    const early = phasesBefore(phase, i).find((p) => !(Number.isInteger(p) && p >= 0 && p < i));
    if (early !== undefined) {
      fail(
        `lets phase ${i} come after ${early}, which is not an earlier one; so no phases wait in a circle`,
      );
    }
    const name = phaseName(phase);
    if (names.has(name)) fail(`has two phases called "${name}"; give each a name of its own`);
    names.add(name);
  }
}

function sameShape(
  phases: readonly CollectivePhase[],
  first: readonly CollectivePhase[],
): boolean {
  return phases.length === first.length && phases.every((phase, i) => {
    if (phase?.lane !== first[i].lane || phase.name !== first[i].name) return false;
    const before = phasesBefore(phase, i);
    const expected = phasesBefore(first[i], i);
    return Array.isArray(before) && before.length === expected.length &&
      before.every((p, k) => p === expected[k]);
  });
}

function checkStep(step: Step, limits: Limits, fail: (problem: string) => never): void {
  const { rank, ranks } = limits;
  const kind = step?.kind;
  if (kind !== "copy" && kind !== "send" && kind !== "receive") {
    fail(`has a step of kind "${kind}" (copy, send and receive are known)`);
  }
  if (step.kind !== "receive") checkSlice(step.from, limits, fail);
  if (step.kind !== "send") checkSlice(step.to, limits, fail);
  if (step.kind === "copy") {
    const from = step.from.count ?? 1;
    const to = step.to.count ?? 1;
    if (from !== to) fail(`copies ${from} slices to ${to}`);
    return;
  }
  const { peer } = step;
  if (!Number.isInteger(peer) || peer < 0 || peer >= ranks) {
    fail(`has no peer ${peer} of ${ranks} ranks`);
  }
  if (peer === rank) fail(`${kind === "send" ? "sends to" : "receives from"} itself (use a copy)`);
}

/** Parts that an algorithm may cut a slice into. @throws {SchemoeError} unless a positive integer. */
export function partsOf(algorithm: Planned): number {
  const { parts = 1 } = algorithm;
  if (Number.isInteger(parts) && parts >= 1 && parts <= MOST_PARTS) return parts;
  return reject(algorithm, 0, `has parts ${parts}, an integer from 1 to ${MOST_PARTS} is needed`);
}

function checkPart(step: Step, parts: number, fail: (problem: string) => never): void {
  const [begin, end] = Array.isArray(step.part) ? step.part : [NaN, NaN];
  const whole = Number.isInteger(begin) && Number.isInteger(end);
  if (!(whole && begin >= 0 && begin < end && end <= parts)) {
    fail(
      `moves the part ${step.part} of ${parts}; parts are [begin, end] of the algorithm's parts`,
    );
  }
  const { count = 1 } = step.kind === "receive" ? step.to : step.from;
  if (count !== 1) fail(`moves a part of ${count} slices; a part is of one slice`);
}

function checkSlice(
  slice: Slice,
  { inputs, outputs }: Limits,
  fail: (problem: string) => never,
): void {
  if (!slice) fail("has a step without its slice");
  const { buffer, index, count = 1 } = slice;
  if (buffer !== "input" && buffer !== "output" && buffer !== "scratch") {
    fail(`names the buffer "${buffer}" (there are input, output and scratch)`);
  }
  const limit = buffer === "scratch" ? MOST_SCRATCH : buffer === "input" ? inputs : outputs;
  const whole = Number.isInteger(index) && Number.isInteger(count);
  if (whole && index >= 0 && count >= 1 && index + count <= limit) return;
  fail(
    count === 1
      ? `names ${buffer} slice ${index} of ${limit}`
      : `names ${count} ${buffer} slices from ${index} of ${limit}`,
  );
}
