/** How fast a machine is now, beside how fast it was when a profile was made. @module */
import { aProfile, expect, positive } from "../arguments/mod.ts";
import type { Engine } from "../engine.ts";
import type { Correction, Estimate, KindFit, MachineProfile } from "../profile/mod.ts";
import { probeProgram } from "./crowds.ts";
import { shownProfile } from "../profile/shown.ts";
import { secondsOf } from "./fitted_profile.ts";

/**
 * Times the same products on all ranks again and again. What slows them down (fewer cores from a hypervisor, a lower
 * clock, somebody else's work) does so for all computation, and tells nothing of any layer.
 */
export class SpeedProbe {
  readonly #engine: Engine;
  readonly #program;
  readonly #workspace;
  #warm = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#program = probeProgram(engine);
    this.#workspace = engine.workspace();
  }

  /** Seconds that the products take now. */
  async seconds(signal?: AbortSignal): Promise<number> {
    const run = () => this.#engine.run(this.#program, this.#workspace, { signal });
    if (!this.#warm) await run();
    this.#warm = true;
    return secondsOf(await run());
  }

  [Symbol.dispose](): void {
    this.#workspace.free();
  }
}

/**
 * The profile of a machine that computes at another speed than when it was measured: 0.8 takes 1.25 times as long. So do
 * transfers that processors carry out; others, and launches, take what they took.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { atSpeed, calibrate } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const profile = await calibrate(engine, { codecs: [] });
 * const [{ perFlop }] = profile.kinds;
 * console.assert(atSpeed(profile, 0.5).kinds[0].perFlop.value === 2 * perFlop.value);
 * ```
 */
export function atSpeed(profile: MachineProfile, speed: number): MachineProfile {
  expect("atSpeed", "profile", profile, aProfile);
  expect("atSpeed", "speed", speed, positive);
  const time = (seconds: number) => seconds / speed;
  const of = ({ value, least, most }: Estimate): Estimate => ({
    value: time(value),
    least: time(least),
    most: time(most),
  });
  const corrections = (list: readonly Correction[]) =>
    list.map(({ seconds, factor }) => ({ seconds: time(seconds), factor }));
  const work = (fit: NonNullable<KindFit["busy"]>) => ({
    alpha: of(fit.alpha),
    perFlop: of(fit.perFlop),
    perByte: of(fit.perByte),
    perElement: of(fit.perElement),
    corrections: corrections(fit.corrections),
  });
  const { kinds, links, processors } = profile;
  const slowed = {
    ...links,
    alpha: of(links.alpha),
    intra: { alpha: of(links.intra.alpha), beta: of(links.intra.beta) },
    inter: { alpha: of(links.inter.alpha), beta: of(links.inter.beta) },
    local: of(links.local),
    corrections: corrections(links.corrections),
  };
  return shownProfile({
    ...profile,
    kinds: kinds.map((fit) => ({
      ...fit,
      ...work(fit),
      ...(fit.busy ? { busy: work(fit.busy) } : {}),
    })),
    links: processors?.turns?.transfers ? slowed : links,
    speed: (profile.speed ?? 1) * speed,
  });
}
