/** Plans of an all-to-all, rank by rank, each checked to be well formed. @module */
import type { AllToAll, Phase, Slice, Step, TrafficMatrix } from "./types.ts";
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
export const phasesBefore = (phase: Phase, index: number): readonly number[] =>
  phase.after ?? (index > 0 ? [index - 1] : []);

/** Name of a phase in tasks and errors. */
export const phaseName = (phase: Phase): string => phase.name ?? phase.lane;

/** Ends the use of an all-to-all. */
export function reject({ name }: AllToAll, rank: number, problem: string): never {
  throw new SchemoeError(`Cannot use the all-to-all "${name}": rank ${rank} ${problem}`, { rank });
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
  const make = (rank: number): readonly Phase[] => {
    const phases = callUser(
      whose,
      `plan of rank ${rank}`,
      () => algorithm.plan({ rank, ...at }),
    );
    if (!first) first = rank === 0 ? phases : make(0);
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
        checkStep(step, rank, topology.ranks, fail);
        if (step.part !== undefined) checkPart(step, parts, fail);
      }
    }
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

/** Checks names, lanes and edges of rank 0's phases, which all ranks have. */
function checkPhases(algorithm: AllToAll, phases: readonly Phase[]): void {
  const fail = (problem: string) => reject(algorithm, 0, problem);
  if (!Array.isArray(phases) || phases.length === 0) {
    fail("has no phases; a plan is an array of at least one");
  }
  const names = new Set<string>();
  for (const [i, phase] of phases.entries()) {
    if (phase?.lane !== "intra" && phase?.lane !== "inter") {
      fail(`puts phase ${i} on the lane "${phase?.lane}"; there are intra and inter`);
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

function sameShape(phases: readonly Phase[], first: readonly Phase[]): boolean {
  return phases.length === first.length && phases.every((phase, i) => {
    if (phase?.lane !== first[i].lane || phase.name !== first[i].name) return false;
    const before = phasesBefore(phase, i);
    const expected = phasesBefore(first[i], i);
    return Array.isArray(before) && before.length === expected.length &&
      before.every((p, k) => p === expected[k]);
  });
}

function checkStep(
  step: Step,
  rank: number,
  ranks: number,
  fail: (problem: string) => never,
): void {
  const kind = step?.kind;
  if (kind !== "copy" && kind !== "send" && kind !== "receive") {
    fail(`has a step of kind "${kind}" (copy, send and receive are known)`);
  }
  if (step.kind !== "receive") checkSlice(step.from, ranks, fail);
  if (step.kind !== "send") checkSlice(step.to, ranks, fail);
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
export function partsOf(algorithm: AllToAll): number {
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

function checkSlice(slice: Slice, ranks: number, fail: (problem: string) => never): void {
  if (!slice) fail("has a step without its slice");
  const { buffer, index, count = 1 } = slice;
  if (buffer !== "input" && buffer !== "output" && buffer !== "scratch") {
    fail(`names the buffer "${buffer}" (there are input, output and scratch)`);
  }
  const limit = buffer === "scratch" ? MOST_SCRATCH : ranks;
  const whole = Number.isInteger(index) && Number.isInteger(count);
  if (whole && index >= 0 && count >= 1 && index + count <= limit) return;
  fail(
    count === 1
      ? `names ${buffer} slice ${index} of ${limit}`
      : `names ${count} ${buffer} slices from ${index} of ${limit}`,
  );
}
