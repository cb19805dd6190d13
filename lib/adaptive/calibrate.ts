/** Measures how long an engine takes for each kind of work. @module */
import packageFile from "../../deno.json" with { type: "json" };
import type { LayerConfig } from "../blocks/mod.ts";
import { createLayer, type MoeLayer } from "../layer/mod.ts";
import {
  fitSamples,
  type KindFit,
  type LinksFit,
  type MachineProfile,
  PROFILE_FORMAT,
  PROFILE_VERSION,
  profileCosts,
  quantile,
  saveProfile,
} from "../profile/mod.ts";
import { type Progress, progress } from "../timeline/mod.ts";
import type { Launch } from "../costs/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine, EventTable, Program } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";
import { believed, Collected, slowdownsOf, weightedMedian } from "./collect.ts";
import { linksOf } from "./links.ts";
import { observe } from "./observe.ts";
import { passes } from "./passes.ts";
import { reusable } from "./reuse.ts";
import { atMost, defaultLayer, exchangePrograms, type LayerStep, layerSteps } from "./sweeps.ts";

/** What is measured, and for how long. */
export interface CalibrateOptions {
  /** Around its sizes, with its gate, experts and types, layers are measured; default one of a few milliseconds. */
  readonly layer?: LayerConfig;
  /** Codecs that are measured; default `fp16`, `int8` and `zfp`. */
  readonly codecs?: readonly (Compressor | string)[];
  /** Seconds after which nothing new is begun; default 90. */
  readonly seconds?: number;
  /**
   * File of an earlier profile, which is reused where machine, versions, engine and kinds are the same and its
   * predictions have not drifted; else the new one is written there.
   */
  readonly path?: string | URL;
  /** Relative error of the prediction of a pass from which on a profile is made anew; default 0.1. */
  readonly drift?: number;
}

const OPTIONS = ["layer", "codecs", "seconds", "path", "drift"];
const SECONDS = 90;
const DRIFT = 0.1;
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

/**
 * Measures an engine: layers of several sizes, codecs and all-to-alls, task by task, and what slows down what. The
 * profile predicts any layer of such kernels on that engine: `simulated(layer, profile)`.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { simulated } from "@schemoe/lab/layer";
 * import { calibrate } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 };
 * const profile = await calibrate(engine, { layer: config, codecs: [], seconds: 2 });
 * using layer = createLayer(engine, config);
 * const predicted = await simulated(layer, profile).forward({ scheduler: "optSche", chunks: 2 });
 * console.assert(predicted.makespan > 0);
 * ```
 * @returns pure data; `JSON.stringify` keeps it.
 * @throws {SchemoeError} naming an unknown option, and when nothing could be measured in the time.
 */
export async function calibrate(
  engine: Engine,
  options: CalibrateOptions = {},
): Promise<MachineProfile> {
  const foreign = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (foreign) {
    throw new SchemoeError(
      `Cannot calibrate: "${foreign}" is not an option (${OPTIONS.join(", ")})${
        didYouMean(foreign, OPTIONS)
      }`,
    );
  }
  const { layer = defaultLayer(engine), codecs = ["fp16", "int8", "zfp"], path } = options;
  const { seconds = SECONDS, drift = DRIFT } = options;
  if (!(typeof seconds === "number" && seconds > 0)) {
    throw new SchemoeError(`Cannot calibrate: seconds is ${quoted(seconds)}, not above 0`);
  }
  if (path !== undefined) {
    const known = await reusable(engine, { path, layer, drift });
    if (known) return known;
  }
  const profile = await new Calibration(engine, seconds).run(layer, codecs);
  if (path !== undefined) await saveProfile(profile, path);
  return profile;
}

/** One time over all that is measured. */
interface Round {
  readonly line: Progress;
  readonly repeats: number;
}

class Calibration {
  readonly #collected: Collected;
  readonly #begin = performance.now();
  readonly #layers = new Map<string, MoeLayer>();

  constructor(readonly engine: Engine, readonly seconds: number) {
    const { kind, topology } = engine;
    const queued = kind === "cpu" && topology.ranks > navigator.hardwareConcurrency;
    this.#collected = new Collected(topology, queued);
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
      const kinds = this.#kinds();
      const unslowed = this.#profile(kinds, {
        together: this.#together(),
        compute: 1,
        communication: 1,
      });
      const slowdown = await this.#slowdown(layer, unslowed);
      line.advance(1, "slow-down");
      return this.#profile(kinds, slowdown);
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
      for (const measured of runs) this.#collected.add(measured);
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

  #together(): number {
    const { together } = this.#collected;
    return together.length > 0 ? believed(weightedMedian(together)) : 1;
  }

  /** Pipelined passes, in which computation and transfers overlap. */
  async #slowdown(
    config: LayerConfig,
    profile: MachineProfile,
  ): Promise<MachineProfile["slowdown"]> {
    const { topology } = this.engine;
    const layer = this.#layer(layerSteps(config, [])[0].config);
    const choices = {
      scheduler: "optSche",
      allToAll: "pipe",
      chunks: atMost(4),
      compressor: "none",
    };
    const measured = await passes(layer, choices, 2 * REPEATS);
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

  #kinds(): { kinds: KindFit[]; links: LinksFit } {
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
    fits: { kinds: readonly KindFit[]; links: LinksFit },
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
