/** Of which world, engine and machine a profile is. @module */
import type { Engine } from "../engine.ts";
import { SchemoeError, type Topology } from "../types.ts";
import type { MachineProfile } from "./types.ts";

/** The machine that this runs on, as profiles have it. */
export function thisMachine(): MachineProfile["machine"] {
  const { os, arch } = Deno.build;
  return { os, architecture: arch, processors: navigator.hardwareConcurrency };
}

/** What a profile is of and an engine is not, in words; undefined where it is of this engine on this machine. */
export function foreignTo(profile: MachineProfile, engine: Engine): string | undefined {
  const { machine, engine: { kind, timing } } = profile;
  const own = thisMachine();
  return otherWorld(profile, engine.topology) ??
    differ("the engine", `${kind}, ${timing}`, `${engine.kind}, ${engine.timing}`) ??
    differ("a machine", machineText(machine), machineText(own));
}

/**
 * A profile predicts its own world on its own engine and machine: what ranks share there, and what their links take, is
 * not known of others. A simulator has no machine, so that a profile from elsewhere may predict on it.
 * @throws {SchemoeError} naming what differs.
 */
export function checkOrigin(profile: MachineProfile, engine: Engine): void {
  const problem = engine.modelled
    ? otherWorld(profile, engine.topology)
    : foreignTo(profile, engine);
  if (problem !== undefined) refuse(problem);
}

/** @throws {SchemoeError} where it has other nodes or ranks than the profile. */
export function checkWorld(profile: MachineProfile, topology: Topology): void {
  const problem = otherWorld(profile, topology);
  if (problem !== undefined) refuse(problem);
}

/**
 * Like {@linkcode checkOrigin} for a run, which says by which engine it was made.
 * @param made kind and timing of the engine, as runs are captioned.
 */
export function checkMadeBy(profile: MachineProfile, made: unknown): void {
  if (typeof made !== "string" || made.startsWith("simulate")) return;
  const { kind, timing } = profile.engine;
  const problem = differ("the engine", `${kind}, ${timing}`, made);
  if (problem !== undefined) refuse(problem);
}

function otherWorld({ engine }: MachineProfile, topology: Topology): string | undefined {
  const { nodes, ranksPerNode } = topology;
  return differ("a world of", worldText(engine), worldText({ nodes, ranksPerNode }));
}

const worldText = ({ nodes, ranksPerNode }: Pick<Topology, "nodes" | "ranksPerNode">): string =>
  `${nodes} x ${ranksPerNode} ranks`;
const machineText = ({ os, architecture, processors }: MachineProfile["machine"]): string =>
  `${os}, ${architecture}, ${processors} processors`;

const differ = (what: string, profiled: string, here: string): string | undefined =>
  profiled === here
    ? undefined
    : `it is of ${what} ${quote(what, profiled)}, this is ${quote(what, here)}`;
const quote = (what: string, text: string): string => what === "a world of" ? text : `"${text}"`;

function refuse(problem: string): never {
  throw new SchemoeError(
    `Cannot predict by the profile: ${problem}; calibrate(engine) makes one here, and a profile that is ` +
      "meant to stand for another says so in its `engine` and `machine`",
  );
}
