/** Random changes to plans, some of which leave them right. */
import type { Phase, Slice, Step } from "../../mod.ts";

type Plans = Phase[][];

/** Kind of a step of collectives; what is done to its result is done to that of others. */
const SUM = "reduce";

/** One change, with its name. */
export interface Mutant {
  readonly kind: string;
  readonly plans: Plans;
}

/** A changed copy of the plans of all ranks; undefined when there was nothing to change in that way. */
export function mutate(
  original: readonly (readonly Phase[])[],
  random: () => number,
): Mutant | undefined {
  const plans: Plans = structuredClone(original) as Plans;
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const all = plans.flatMap((phases, rank) =>
    phases.flatMap(({ steps }, phase) =>
      steps.map((step, index) => ({ rank, phase, index, step, steps: steps as Step[] }))
    )
  );
  const at = pick(all);
  if (!at) return undefined;
  const { rank, phase, step } = at;
  const steps = at.steps;
  /** The other side of a send or receive. */
  const other = () => {
    if (!("peer" in step)) return undefined;
    const kth =
      steps.slice(0, at.index).filter((s) => s.kind === step.kind && s.peer === step.peer).length;
    const theirs = plans[step.peer][phase].steps as Step[];
    const matching = theirs.filter((s) =>
      s.kind !== "copy" && s.kind !== step.kind && s.peer === rank
    );
    return matching[kth] && { steps: theirs, index: theirs.indexOf(matching[kth]) };
  };
  const slice = (of: Step) =>
    (SUM === (of.kind as string) || of.kind === "receive" || (of.kind === "copy" && random() < 0.5)
      ? "to"
      : "from") as "from";
  const change = (of: Step, edit: (slice: Slice) => Slice): Step => {
    const side = slice(of);
    return { ...of, [side]: edit((of as unknown as Record<string, Slice>)[side]) } as Step;
  };
  const kinds: Record<string, () => boolean | void> = {
    drop: () => void steps.splice(at.index, 1),
    "drop both sides"() {
      const peer = other();
      if (!peer) return false;
      steps.splice(at.index, 1);
      peer.steps.splice(peer.index, 1);
    },
    duplicate: () => void steps.splice(below(steps.length + 1), 0, structuredClone(step)),
    "duplicate both sides"() {
      const peer = other();
      if (!peer) return false;
      steps.splice(at.index, 0, structuredClone(step));
      peer.steps.splice(peer.index, 0, structuredClone(peer.steps[peer.index]));
    },
    "redirect to another rank"() {
      if (!("peer" in step) || plans.length < 3) return false;
      steps[at.index] = { ...step, peer: below(plans.length) };
    },
    "redirect to another buffer"() {
      steps[at.index] = change(
        step,
        (s) => ({ ...s, buffer: pick(["input", "output", "scratch"] as const)! }),
      );
    },
    "shift an offset"() {
      steps[at.index] = change(step, (s) => ({ ...s, index: s.index + (random() < 0.5 ? 1 : -1) }));
    },
    "swap offsets"() {
      const second = pick(steps.filter((s) => s !== step && s.kind === step.kind));
      if (!second) return false;
      const side = slice(step);
      const [a, b] = [step, second].map((s) => (s as unknown as Record<string, Slice>)[side]);
      steps[at.index] = { ...step, [side]: b } as Step;
      steps[steps.indexOf(second)] = { ...second, [side]: a } as Step;
    },
    "swap steps"() {
      const second = below(steps.length);
      [steps[at.index], steps[second]] = [steps[second], steps[at.index]];
    },
    "swap phases of steps"() {
      const to = below(plans[rank].length);
      if (to === phase || step.kind !== "copy") return false;
      steps.splice(at.index, 1);
      (plans[rank][to].steps as Step[]).push(step);
    },
    "drop an edge"() {
      const edges = plans[0].flatMap((p, index) =>
        (p.after ?? (index ? [index - 1] : [])).map((before) => ({ index, before }))
      );
      const edge = pick(edges);
      if (!edge) return false;
      for (const phases of plans) {
        const { index, before } = edge;
        const after = phases[index].after ?? [index - 1];
        phases[index] = { ...phases[index], after: after.filter((p) => p !== before) };
      }
    },
  };
  const kind = pick(Object.keys(kinds))!;
  return kinds[kind]() === false ? undefined : { kind, plans };
}
