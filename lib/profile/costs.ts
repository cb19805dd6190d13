/** Costs by a machine profile. @module */
import { aProfile, aTopology, expect } from "../arguments/mod.ts";
import { taskSeconds } from "../costs/mod.ts";
import type { Costs } from "../costs/types.ts";
import { SchemoeError, type Task, type Topology } from "../types.ts";
import { didYouMean, quoted, unawaited } from "../words.ts";
import { profileProblem } from "./check.ts";
import { corrected, dot } from "./fit.ts";
import { checkWorld } from "./origin.ts";
import { kindOf, phaseWorkOf, workOf } from "./samples.ts";
import type { Estimate, KindFit, MachineProfile } from "./types.ts";

/**
 * Seconds of tasks alone as a profile has them.
 * @throws {SchemoeError} for what is no profile or one of other nodes and ranks, and asked for a task of a kind that was
 * not measured.
 */
export function profileCosts(profile: MachineProfile, topology: Topology): Costs {
  expect("profileCosts", "profile", profile, aProfile);
  expect("profileCosts", "topology", topology, aTopology);
  checkProfile(profile);
  checkWorld(profile, topology);
  const kinds = new Map(profile.kinds.map((fit) => [fit.kind, fit]));
  const { links, processors } = profile;
  const linkValues = [
    links.alpha,
    links.intra.alpha,
    links.intra.beta,
    links.inter.alpha,
    links.inter.beta,
    links.local,
  ].map(valueOf);
  const values = new Map(profile.kinds.map((fit) => [fit.kind, workValues(fit)]));
  const onRank = (task: Task, rank: number) => {
    if (task.transfers) {
      return corrected(dot(phaseWorkOf(topology, task, rank), linkValues), links.corrections);
    }
    // such as attention in a stack, which every engine paces
    if (!task.kernels) return taskSeconds(topology, task, rank);
    const kind = kindOf(task);
    const fit = kinds.get(kind);
    if (!fit) return unmeasured(task, kind, kinds.keys());
    const seconds = corrected(
      dot(workOf(task, rank, fit.tile), values.get(kind)!),
      fit.corrections,
    );
    return seconds * (processors?.ranks?.[rank] ?? 1) / (topology.speed?.[rank] ?? 1);
  };
  const { turns, transferWidth = 1 } = processors ?? {};
  const queued = turns !== undefined && turns.slice === undefined;
  const slowest = new WeakMap<Task, number>();
  return {
    source: `profile of ${profile.date}`,
    launch: profile.launch,
    ...(queued
      ? {
        width: (task, rank) => task.transfers ? transferWidth : widthOf(task, rank, kinds),
      }
      : {}),
    seconds(task, rank) {
      if (rank !== undefined) return onRank(task, rank);
      let most = slowest.get(task);
      if (most === undefined) {
        most = 0;
        for (let r = 0; r < topology.ranks; r++) most = Math.max(most, onRank(task, r));
        slowest.set(task, most);
      }
      return most;
    },
  };
}

/** Part of a processor that the smallest task needs, and the largest, which others slow down. */
const WIDTHS = [1 / 64, 4] as const;

/** What a task needs of a processor over what it takes alone. */
function widthOf(task: Task, rank: number, kinds: ReadonlyMap<string, KindFit>): number {
  const fit = task.kernels && kinds.get(kindOf(task));
  if (!fit?.busy) return 1;
  const work = workOf(task, rank, fit.tile);
  const seconds = (of: NonNullable<KindFit["busy"]>) =>
    corrected(dot(work, workValues(of)), of.corrections);
  const alone = seconds(fit);
  return alone > 0 ? Math.min(WIDTHS[1], Math.max(WIDTHS[0], seconds(fit.busy) / alone)) : 1;
}

/** Coefficients in the order of `workOf`. */
const workValues = ({ alpha, perFlop, perByte, perElement }: NonNullable<KindFit["busy"]>) =>
  [alpha, perFlop, perByte, perElement].map(valueOf);

const valueOf = ({ value }: Estimate): number => value;

function unmeasured(task: Task, kind: string, known: Iterable<string>): number {
  throw new SchemoeError(
    `Cannot predict the task ${task.name}: the profile has no "${kind}"; calibrate with a layer and ` +
      `codecs like these${didYouMean(kind, known)}`,
  );
}

/** @throws {SchemoeError} for what is no profile. */
function checkProfile(profile: MachineProfile): void {
  if (Array.isArray(profile?.kinds) && profile.links && profile.slowdown) {
    const problem = profileProblem(profile);
    if (problem === undefined) return;
    throw new SchemoeError(`Cannot predict by the profile: it ${problem}`);
  }
  throw new SchemoeError(
    `Cannot predict by the profile: got ${
      quoted(profile)
    }, not what calibrate or loadProfile gives` +
      unawaited(profile),
  );
}

/**
 * The world as the profile found it: which processors ranks share, and how transfers and computation slow down.
 * @throws {SchemoeError} for what is no profile, and for one of other nodes and ranks.
 */
export function profiledTopology(topology: Topology, profile: MachineProfile): Topology {
  expect("profiledTopology", "topology", topology, aTopology);
  expect("profiledTopology", "profile", profile, aProfile);
  checkProfile(profile);
  checkWorld(profile, topology);
  const { processors, slowdown: { compute, communication } } = profile;
  const { ranks, sharing: _, contention: __, ...others } = topology;
  const of = processors?.of ?? Array<number>(ranks).fill(0);
  const groups = new Set(of).size;
  const turns = processors?.turns ? { turns: processors.turns } : {};
  return {
    ...others,
    ranks,
    ...(processors
      ? { sharing: { ...turns, of, capacity: Array<number>(groups).fill(processors.capacity) } }
      : {}),
    ...(compute > 1 || communication > 1 ? { contention: { compute, communication } } : {}),
  };
}
