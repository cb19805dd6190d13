/** What a profile prints of itself, instead of all its numbers. @module */
import { rateText, timeText } from "../units.ts";
import type { LinkEstimate, MachineProfile } from "./types.ts";

const INSPECT = Symbol.for("Deno.customInspect");

/** The same profile, which is a few lines when it is printed and in a template; its fields and its JSON stay what they are. */
export function shownProfile(profile: MachineProfile): MachineProfile {
  const value = () => profileText(profile);
  for (const name of [INSPECT, "toString"]) {
    Object.defineProperty(profile, name, { value, enumerable: false });
  }
  return profile;
}

/** Machine, engine and world, what was measured: a line each. */
function profileText(profile: MachineProfile): string {
  const { machine, engine, kinds, links, launch, processors, slowdown, date, seconds } = profile;
  const cores = machine.processors === undefined ? "" : `, ${machine.processors} processors`;
  const link = ({ alpha, beta }: LinkEstimate) =>
    `${timeText(alpha.value)} + ${
      beta.value > 0 ? rateText(1 / beta.value, "B/s") : "no time a byte"
    }`;
  const shared = processors
    ? [`${Number(processors.capacity.toPrecision(3))} lanes compute at full speed at once`]
    : [];
  const slower = [["computation", slowdown.compute], [
    "transfers",
    slowdown.communication,
  ]] as const;
  return [
    `profile of ${engine.kind}, ${engine.timing}`,
    `${engine.nodes} x ${engine.ranksPerNode} ranks · ${machine.os}, ${machine.architecture}${cores} · ` +
    `${date}, measured in ${timeText(seconds)}`,
    `${kinds.length} kinds of work: ${
      [...new Set(kinds.map(({ kind }) => kind.split(" ")[0]))].join(", ")
    }`,
    `links: inside a node ${link(links.intra)}, between nodes ${link(links.inter)}, ` +
    `a phase ${timeText(links.alpha.value)}`,
    [
      `a task begins after ${timeText(launch.compute.begin)}`,
      ...shared,
      ...slower.filter(([, factor]) => factor > 1).map(([what, factor]) =>
        `${what} takes ${Number(factor.toPrecision(3))} times as long beside the other`
      ),
    ].join(" · "),
    'all numbers are in its fields "kinds", "links", "launch", "processors" and "slowdown"',
  ].join("\n");
}
