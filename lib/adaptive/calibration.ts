/** One calibration: what is run. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import { createLayer, type MoeLayer } from "../layer/mod.ts";
import { type MachineProfile, median } from "../profile/mod.ts";
import { type Progress, progress } from "../timeline/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine, EventTable, Program, Workspace } from "../engine.ts";
import type { TimedProgram } from "./by_simulation.ts";
import { Collected, type Measurement } from "./collect.ts";
import { crowdEvents, type CrowdRuns, crowds as crowdsOf } from "./crowds.ts";
import { fittedProfile, secondsOf } from "./fitted_profile.ts";
import { passes as passesOf } from "./passes.ts";
import { SpeedProbe } from "./speed.ts";
import { atMost, exchangePrograms, type LayerStep, layerSteps } from "./sweeps.ts";

/** Runs of each pass; the first one warms up. */
const REPEATS = 4;
/** How often all is measured where times vary: what slows a machine down lasts longer than the runs of a pass. */
const ROUNDS = 3;
/** Rounds at most, and the half width of the 90 % interval of the machine's mean speed at which they are enough. */
const MOST_ROUNDS = 8;
const SURE = 0.02;
const INTERVAL = 1.645;
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

/** Runs sweeps of an engine until its seconds are spent. */
export class Calibration {
  readonly #collected: Collected;
  readonly #begin = performance.now();
  readonly #layers = new Map<string, MoeLayer>();
  readonly #crowds: CrowdRuns[] = [];
  readonly #passes: TimedProgram[] = [];
  readonly #exchanges: TimedProgram[] = [];
  readonly #probes: number[] = [];
  #probe?: SpeedProbe;

  constructor(
    readonly engine: Engine,
    readonly options: {
      readonly seconds: number;
      readonly signal?: AbortSignal;
      /** Why the profile that is kept in a file does not do. */
      readonly because?: string;
    },
  ) {
    this.#collected = new Collected(engine.topology);
  }

  async run(
    layer: LayerConfig,
    codecs: readonly (Compressor | string)[],
  ): Promise<MachineProfile> {
    const engine = this.engine;
    const [collected, passes, exchanges, crowds] = [
      this.#collected,
      this.#passes,
      this.#exchanges,
      this.#crowds,
    ];
    const steps = layerSteps(layer, codecs);
    const programs = exchangePrograms(engine.topology, MOST_BYTES[engine.kind]);
    const rounds = engine.modelled ? 1 : ROUNDS;
    const parts = steps.length + programs.length + Number(!engine.modelled);
    let line = progress(rounds * parts + 1, "calibrate");
    const speeds: number[] = [];
    try {
      for (let round = 0; round < rounds || this.#mayGoOn(speeds); round++) {
        const repeats = round === 0 ? REPEATS : LATER_REPEATS;
        if (round >= rounds) {
          await line.done();
          line = progress(parts, `calibrate, round ${round + 1}: the machine's speed varies`);
        }
        const before = this.#probes.length;
        await this.#measureLayers(steps, { line, repeats, first: round === 0 });
        await this.#measureExchanges(programs, { line, repeats });
        await this.#measureCrowds({ line, repeats });
        speeds.push(median(this.#probes.slice(before)));
      }
      const pipelined = await this.#measurePipelined(layer);
      line.advance(1, "fitting");
      const [probes, seconds] = [this.#probes, this.#past];
      const measured = { collected, passes, exchanges, crowds, pipelined, probes, seconds };
      return fittedProfile(engine, measured);
    } finally {
      this.#closeLayers();
      this.#probe?.[Symbol.dispose]();
      const { because } = this.options;
      await line.done(because === undefined ? undefined : `made anew: ${because}`);
    }
  }

  /** Whether the machine's speed varied so much from round to round that one more is of use, and there is time for it. */
  #mayGoOn(speeds: readonly number[]): boolean {
    const rounds = speeds.length;
    const mean = speeds.reduce((sum, seconds) => sum + seconds, 0) / rounds;
    const squares = speeds.reduce((sum, seconds) => sum + (seconds - mean) ** 2, 0);
    const unsure = INTERVAL * Math.sqrt(squares / (rounds - 1) / rounds) > SURE * mean;
    const next = this.#past * (rounds + 1) / rounds;
    return unsure && rounds < MOST_ROUNDS && next < LAYERS_PART * this.options.seconds;
  }

  /** Times the probe among the sweeps, so that it tells the speed of the time in which these ran. */
  async #measureSpeed(): Promise<void> {
    if (this.engine.modelled || this.#collected.paced.computation) return;
    this.#probe ??= new SpeedProbe(this.engine);
    this.#probes.push(await this.#probe.seconds(this.options.signal));
  }

  #closeLayers(): void {
    for (const made of this.#layers.values()) made.close();
    this.#layers.clear();
  }

  #run(program: Program, workspace: Workspace): Promise<EventTable> {
    return this.engine.run(program, workspace, { signal: this.options.signal });
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
    { line, repeats, first }: Round & { readonly first: boolean },
  ): Promise<void> {
    // layers know what their tasks take alone: new ones measure it again
    this.#closeLayers();
    const { signal } = this.options;
    for (const { config, needed, ...others } of steps) {
      const late = this.#past > LAYERS_PART * this.options.seconds;
      if (late && !(first && needed)) continue;
      const layer = this.#layer(config);
      const runs = await passesOf(layer, {
        ...others,
        scheduler: "sequential",
        signal,
      }, repeats);
      for (const measured of runs) this.#add(measured, this.#passes);
      await this.#measureSpeed();
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
        if (this.#past > this.options.seconds) break;
        const runs: EventTable[] = [];
        const begin = performance.now();
        for (let i = 0; i < repeats; i++) runs.push(await this.#run(program, workspace));
        this.#add({ program, runs: runs.slice(1) }, this.#exchanges);
        line.advance(1, "all-to-alls");
        if ((performance.now() - begin) / 1e3 > repeats * LONGEST) break;
      }
    } finally {
      workspace.free();
    }
  }

  #add(measured: Measurement, to: TimedProgram[]): void {
    this.#collected.add(measured);
    const { program, runs } = measured;
    to.push({ program, seconds: median(runs.map(secondsOf)) });
  }

  async #measureCrowds({ line, repeats }: Round): Promise<void> {
    if (this.engine.modelled || (this.#crowds.length > 0 && this.#past > this.options.seconds)) {
      return;
    }
    if (this.#crowds.length === 0) {
      this.#crowds.push(...crowdsOf(this.engine).map((crowd) => ({ crowd, runs: [] })));
    }
    const workspace = this.engine.workspace();
    try {
      for (const { crowd: { program }, runs } of this.#crowds) {
        for (let i = 0; i < repeats; i++) {
          const events = await this.#run(program, workspace);
          if (i > 0) runs.push(crowdEvents(this.engine, events));
        }
      }
      line.advance(1, "crowds");
    } finally {
      workspace.free();
    }
  }

  /** Pipelined passes, in which computation and transfers overlap. */
  async #measurePipelined(config: LayerConfig): Promise<Measurement[]> {
    const layer = this.#layer(layerSteps(config, [])[0].config);
    const choices = {
      scheduler: "optSche",
      allToAll: "pipe",
      chunks: atMost(4),
      compressor: "none",
      signal: this.options.signal,
    };
    return await passesOf(layer, choices, 2 * REPEATS);
  }
}
