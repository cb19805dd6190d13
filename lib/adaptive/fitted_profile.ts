/** The profile that measurements give. @module */
import packageFile from "../../deno.json" with { type: "json" };
import type { Engine, EventTable, Program } from "../engine.ts";
import { simulate } from "../engines/mod.ts";
import {
  fitSamples,
  type KindFit,
  type MachineProfile,
  median,
  PROFILE_FORMAT,
  PROFILE_VERSION,
  profileCosts,
  profiledTopology,
  relativeSpread,
  type Sample,
} from "../profile/mod.ts";
import { thisMachine } from "../profile/origin.ts";
import type { Task } from "../types.ts";
import { bySimulation, type TimedProgram } from "./by_simulation.ts";
import {
  believed,
  type Collected,
  type Measurement,
  MOST_SLOWDOWN,
  slowdownsOf,
  weightedMedian,
} from "./collect.ts";
import { type CrowdRuns, groupOf } from "./crowds.ts";
import { launchOf } from "./launches.ts";
import { linksOf, partOfLinks } from "./links.ts";
import { observe } from "./observe.ts";
import { processorsOf } from "./processors.ts";
import { rankSpread } from "./rank_spread.ts";

/** What calibration measures. */
export interface Measured {
  readonly collected: Collected;
  /** Passes of layers one task after another, and all-to-alls alone. */
  readonly passes: readonly TimedProgram[];
  readonly exchanges: readonly TimedProgram[];
  /** None of an engine whose tasks take what its model says. */
  readonly crowds: readonly CrowdRuns[];
  /** Passes in which computation and transfers overlap. */
  readonly pipelined: readonly Measurement[];
  /** What the products of the probe took, in order. */
  readonly probes: readonly number[];
  /** Seconds that it took. */
  readonly seconds: number;
}

/** What the profile says of the engine as it is, and what is fitted. */
type Known = Omit<MachineProfile, "kinds" | "links" | "launch" | "processors" | "slowdown">;
type Fits = Omit<MachineProfile, "slowdown" | keyof Known>;

const NONE = { compute: 1, communication: 1 };
/** Least part of what transfers took that is believed to have been work. */
const LEAST_WORK = 1 / 64;

/** Seconds of a run. */
export const secondsOf = ({ end }: EventTable): number =>
  1e-9 * end.reduce((most, time) => Math.max(most, time), 0);

/** Fits kinds of work, launches, processors, links and slow-downs, in this order: each to what those before it leave. */
export function fittedProfile(engine: Engine, measured: Measured): MachineProfile {
  const known = knownOf(engine, measured);
  const predict = (fits: Fits, program: Program) => {
    const profile = { ...known, ...fits, slowdown: NONE };
    const costs = profileCosts(profile, engine.topology);
    return secondsOf(simulate(program, profiledTopology(engine.topology, profile), { costs }));
  };
  const { collected, crowds } = measured;
  const found = processorsOf(crowds, {
    ...(engine.kind === "cpu" ? { threads: navigator.hardwareConcurrency } : {}),
    paced: collected.paced.transfers,
  });
  const several = engine.processors ? { of: engine.processors } : {};
  const processors = found && { ...several, ...found };
  const alone: Fits = {
    ...kindsOf(collected, processors?.turns !== undefined && processors.turns.slice === undefined),
    launch: launchOf(collected.measured, processors),
    ...(processors ? { processors } : {}),
  };
  const fits = shared(alone, measured, {
    ranks: groupOf(engine).length,
    predict,
    seconds: profileCosts({ ...known, ...alone, slowdown: NONE }, engine.topology).seconds,
  });
  return {
    ...known,
    ...fits,
    slowdown: slowdownOf({ ...known, ...fits, slowdown: NONE }, engine, measured),
  };
}

/**
 * With what sharing processors changes: what transfers need of them, or where all share them evenly how much ranks differ
 * meanwhile and how many processors there are.
 */
function shared(
  fits: Fits,
  { passes, exchanges, collected }: Measured,
  { ranks, predict, seconds }: {
    readonly ranks: number;
    readonly predict: (fits: Fits, program: Program) => number;
    readonly seconds: (task: Task, rank: number) => number;
  },
): Fits {
  const { processors, ...others } = fits;
  if (!processors) return fits;
  if (processors.turns) {
    const withPart = (part: number) => ({ ...fits, links: partOfLinks(fits.links, part) });
    // of kernels in a queue the crowds have told it
    if (!processors.turns.transfers || processors.turns.slice === undefined) return fits;
    return withPart(
      bySimulation(exchanges, [LEAST_WORK, 1], (program, part) => predict(withPart(part), program)),
    );
  }
  if (ranks === 1) return others;
  const spread = rankSpread(collected.measured, seconds);
  const withTogether = (together: number): Fits =>
    together > 1 || spread
      ? {
        ...fits,
        processors: {
          ...processors,
          capacity: ranks / together,
          ...(spread ? { ranks: spread } : {}),
        },
      }
      : others;
  return withTogether(believed(
    bySimulation(
      passes,
      [1, MOST_SLOWDOWN],
      (program, together) => predict(withTogether(together), program),
    ),
  ));
}

function knownOf(
  { kind, timing, topology: { nodes, ranksPerNode } }: Engine,
  { seconds, probes, collected }: Measured,
): Known {
  const probe = probes.length > 0 && !collected.paced.computation
    ? { probe: { seconds: median(probes), noise: relativeSpread(probes) } }
    : {};
  return {
    format: PROFILE_FORMAT,
    version: PROFILE_VERSION,
    machine: thisMachine(),
    versions: { package: packageFile.version, deno: Deno.version.deno },
    date: new Date().toISOString(),
    engine: { kind, timing, nodes, ranksPerNode },
    ...probe,
    seconds,
  };
}

/** Sizes of tiles in which products on a GPU may be computed; 1 is none. */
const TILES = [1, 64, 128];

/** @param queued whether tasks of several ranks wait in one queue, as the kernels of a GPU do. */
function kindsOf(collected: Collected, queued: boolean): Pick<Fits, "kinds" | "links"> {
  const kinds: KindFit[] = [];
  for (const [kind, list] of collected.samples()) {
    if (kind === "transfer") continue;
    kinds.push(queued ? kernelFit(collected, kind) : { kind, ...workFit(list) });
  }
  return { kinds, links: linksOf(collected.samples().get("transfer") ?? []) };
}

/** With the tiles that fit best, and what the kernels need of a processor while others are there. */
function kernelFit(collected: Collected, kind: string): KindFit {
  const fits = TILES.map((tile) => ({ tile, fit: workFit(collected.samples(tile).get(kind)!) }));
  const { tile, fit } = fits.reduce((a, b) => b.fit.quality.error < a.fit.quality.error ? b : a);
  const needed = collected.busy(tile).get(kind) ?? [];
  return {
    kind,
    ...fit,
    ...(tile === 1 ? {} : { tile }),
    ...(needed.length > 0 ? { busy: workFit(needed) } : {}),
  };
}

function workFit(samples: readonly Sample[]): Omit<KindFit, "kind"> {
  const { estimates: [alpha, perFlop, perByte, perElement], ...fit } = fitSamples(samples);
  return { alpha, perFlop, perByte, perElement, ...fit };
}

function slowdownOf(
  unslowed: MachineProfile,
  { topology }: Engine,
  { pipelined }: Measured,
): MachineProfile["slowdown"] {
  const costs = profileCosts(unslowed, topology);
  const told = pipelined.map(({ program, runs }) =>
    slowdownsOf(
      runs.map((events) => observe(program, events)),
      ({ task, rank }) => costs.seconds(task, rank),
      unslowed.processors,
    )
  );
  const of = (kind: "compute" | "communication") =>
    believed(weightedMedian(told.flatMap((found) => found[kind])));
  return { compute: of("compute"), communication: of("communication") };
}
