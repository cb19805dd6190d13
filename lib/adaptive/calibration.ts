/** One calibration: what is run, and the profile it gives. @module */
import packageFile from "../../deno.json" with { type: "json" };
import type { LayerConfig } from "../blocks/mod.ts";
import { simulate } from "../engines/mod.ts";
import { createLayer, type MoeLayer } from "../layer/mod.ts";
import {
  fitSamples,
  type KindFit,
  type MachineProfile,
  median,
  PROFILE_FORMAT,
  PROFILE_VERSION,
  profileCosts,
  profiledTopology,
  quantile,
} from "../profile/mod.ts";
import { type Progress, progress } from "../timeline/mod.ts";
import type { Launch } from "../costs/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine, EventTable, Program } from "../engine.ts";
import { believed, Collected, type Measurement, slowdownsOf, weightedMedian } from "./collect.ts";
import { linksOf } from "./links.ts";
import { observe } from "./observe.ts";
import { passes } from "./passes.ts";
import { type TimedProgram, togetherBySimulation } from "./sharing.ts";
import { atMost, exchangePrograms, type LayerStep, layerSteps } from "./sweeps.ts";

/** Runs of each pass; the first one warms up. */
const REPEATS = 4;
/** How often all is measured where times vary: what slows a machine down lasts longer than the runs of a pass. */
const ROUNDS = 3;
const LATER_REPEATS = 2;
/** All-to-alls of at most so many bytes a rank, and the seconds after which a larger one is not begun. */
const MOST_BYTES = { cpu: 4 << 20, cuda: 256 << 20, simulate: 64 << 20 };
const LONGEST = 0.15;
/** Part of the time that layers may take before the all-to-alls come. */
const LAYERS_PART = 0.75;

/** One time over all that is measured. */
interface Round {
  readonly line: Progress;
  readonly repeats: number;
}

/** What single tasks were found to take. */
type Fits = Pick<MachineProfile, "kinds" | "links">;

const secondsOf = ({ end }: EventTable): number =>
  1e-9 * end.reduce((most, time) => Math.max(most, time), 0);

/** Runs sweeps of an engine until its seconds are spent. */
export class Calibration {
  readonly #collected: Collected;
  readonly #begin = performance.now();
  readonly #layers = new Map<string, MoeLayer>();
  readonly #timed: TimedProgram[] = [];

  constructor(readonly engine: Engine, readonly seconds: number) {
    this.#collected = new Collected(engine.topology);
  }

  async run(
    layer: LayerConfig,
    codecs: readonly (Compressor | string)[],
  ): Promise<MachineProfile> {
    const { engine } = this;
    const steps = layerSteps(layer, codecs);
    const programs = exchangePrograms(engine.topology, MOST_BYTES[engine.kind]);
    const rounds = engine.modelled ? 1 : ROUNDS;
    const line = progress(rounds * (steps.length + programs.length) + 1, "calibrate");
    try {
      for (let round = 0; round < rounds; round++) {
        const repeats = round === 0 ? REPEATS : LATER_REPEATS;
        await this.#measureLayers(steps, { line, repeats });
        await this.#measureExchanges(programs, { line, repeats });
      }
      const pipelined = await this.#measurePipelined(layer);
      line.advance(1, "slow-down");
      const kinds = this.#kinds();
      const together = this.#together(kinds);
      const unslowed = this.#profile(kinds, { together, compute: 1, communication: 1 });
      return this.#profile(kinds, this.#slowdown(pipelined, unslowed));
    } finally {
      this.#closeLayers();
      await line.done();
    }
  }

  #closeLayers(): void {
    for (const made of this.#layers.values()) made.close();
    this.#layers.clear();
  }

  get #past(): number {
    return (performance.now() - this.#begin) / 1e3;
  }

  #layer(config: LayerConfig): MoeLayer {
    const key = `${config.tokens} ${config.modelDim} ${config.hiddenDim}`;
    const known = this.#layers.get(key) ?? createLayer(this.engine, config);
    this.#layers.set(key, known);
    return known;
  }

  async #measureLayers(
    steps: readonly LayerStep[],
    { line, repeats }: Round,
  ): Promise<void> {
    // layers know what their tasks take alone: new ones measure it again
    this.#closeLayers();
    for (const { config, chunks, ...others } of steps) {
      // the first size of everything is needed, whatever it takes
      if (!this.#collected.empty && this.#past > LAYERS_PART * this.seconds) break;
      const layer = this.#layer(config);
      const runs = await passes(layer, {
        ...others,
        chunks: atMost(chunks),
        scheduler: "sequential",
      }, repeats);
      for (const measured of runs) this.#add(measured);
      line.advance(1, `${config.tokens} x ${config.modelDim} x ${config.hiddenDim}`);
    }
  }

  async #measureExchanges(
    programs: readonly Program[],
    { line, repeats }: Round,
  ): Promise<void> {
    const workspace = this.engine.workspace();
    try {
      for (const program of programs) {
        if (this.#past > this.seconds) break;
        const runs: EventTable[] = [];
        const begin = performance.now();
        for (let i = 0; i < repeats; i++) runs.push(await this.engine.run(program, workspace));
        this.#collected.add({ program, runs: runs.slice(1) });
        line.advance(1, "all-to-alls");
        if ((performance.now() - begin) / 1e3 > repeats * LONGEST) break;
      }
    } finally {
      workspace.free();
    }
  }

  #add(measured: Measurement): void {
    this.#collected.add(measured);
    this.#time(measured);
  }

  #time({ program, runs }: Measurement): void {
    const seconds = median(runs.map(secondsOf));
    this.#timed.push({ program, seconds });
  }

  /** Pipelined passes, in which computation and transfers overlap. */
  async #measurePipelined(config: LayerConfig): Promise<Measurement[]> {
    const layer = this.#layer(layerSteps(config, [])[0].config);
    const choices = {
      scheduler: "optSche",
      allToAll: "pipe",
      chunks: atMost(4),
      compressor: "none",
    };
    const measured = await passes(layer, choices, 2 * REPEATS);
    for (const one of measured) this.#time(one);
    return measured;
  }

  #together(kinds: Fits): number {
    const { modelled, topology } = this.engine;
    if (modelled || topology.ranks === 1) return 1;
    return believed(togetherBySimulation(this.#timed, (program, together) => {
      const profile = this.#profile(kinds, { together, compute: 1, communication: 1 });
      const costs = profileCosts(profile, topology);
      return secondsOf(simulate(program, profiledTopology(topology, profile), { costs }));
    }));
  }

  #slowdown(measured: readonly Measurement[], profile: MachineProfile): MachineProfile["slowdown"] {
    const { topology } = this.engine;
    const costs = profileCosts(profile, topology);
    const { together } = profile.slowdown;
    const told = measured.map(({ program, runs }) =>
      slowdownsOf(
        runs.map((events) => observe(program, events)),
        ({ task, rank }) => costs.seconds(task, rank),
        topology.ranks / together,
      )
    );
    const of = (kind: "compute" | "communication") =>
      believed(weightedMedian(told.flatMap((found) => found[kind])));
    return { together, compute: of("compute"), communication: of("communication") };
  }

  #kinds(): Fits {
    const { samples } = this.#collected;
    const kinds: KindFit[] = [];
    for (const [kind, list] of samples) {
      if (kind === "transfer") continue;
      const { estimates: [alpha, perFlop, perByte], ...fit } = fitSamples(list);
      kinds.push({ kind, alpha, perFlop, perByte, ...fit });
    }
    return { kinds, links: linksOf(samples.get("transfer") ?? []) };
  }

  /** Of operations for which a processor was free, which are fewer where ranks share them. */
  #launch(together: number): MachineProfile["launch"] {
    const { compute, transfer } = this.#collected.launches;
    const typical = (values: readonly number[]) => quantile(values, 0.5 / together) || 0;
    const of = ({ begin, next, wait }: Record<keyof Launch, readonly number[]>): Launch => ({
      begin: typical(begin),
      next: typical(next),
      wait: typical(wait),
    });
    return { compute: of(compute), transfer: of(transfer) };
  }

  #profile(
    fits: Fits,
    slowdown: MachineProfile["slowdown"],
  ): MachineProfile {
    const { kind, timing, topology: { nodes, ranksPerNode } } = this.engine;
    const { os, arch } = Deno.build;
    return {
      format: PROFILE_FORMAT,
      version: PROFILE_VERSION,
      machine: { os, architecture: arch, processors: navigator.hardwareConcurrency },
      versions: { package: packageFile.version, deno: Deno.version.deno },
      date: new Date().toISOString(),
      engine: { kind, timing, nodes, ranksPerNode },
      ...fits,
      launch: this.#launch(slowdown.together),
      slowdown,
      seconds: this.#past,
    };
  }
}
