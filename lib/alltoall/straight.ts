/** Whether an all-to-all takes every slice from its sender straight to its receiver. @module */
import type { Topology } from "../types.ts";
import { plansOf } from "./known.ts";
import type { AllToAll, Step } from "./types.ts";

const known = new WeakMap<AllToAll, WeakMap<Topology, boolean>>();

/**
 * Whether each slice of any size goes from the input of its sender to the output of its receiver as a whole and alone,
 * whatever the traffic: then neither the plan nor a place aside depends on how large slices are.
 */
export function isStraight(algorithm: AllToAll, topology: Topology): boolean {
  if (algorithm.byTraffic) return false;
  let worlds = known.get(algorithm);
  if (!worlds) known.set(algorithm, worlds = new WeakMap());
  let straight = worlds.get(topology);
  if (straight === undefined) {
    const plans = plansOf(algorithm, topology);
    straight = plans.parts === 1 &&
      Array.from({ length: topology.ranks }, (_, rank) => rank).every((rank) =>
        plans.phases(rank).every(({ steps }) => steps.every((step) => isAlone(rank, step)))
      );
    worlds.set(topology, straight);
  }
  return straight;
}

function isAlone(rank: number, step: Step): boolean {
  const peer = step.kind === "copy" ? rank : step.peer;
  const sides = step.kind === "copy"
    ? [step.from, step.to]
    : [step.kind === "send" ? step.from : step.to];
  return sides.every(({ buffer, index, count = 1 }) =>
    buffer !== "scratch" && index === peer && count === 1
  ) && (step.kind === "receive" || step.from.buffer === "input") &&
    (step.kind === "send" || step.to.buffer === "output");
}
