/** Reference training runs: small models whose losses and gradients were computed in float64. @module */
import {
  adamw,
  cosineRate,
  layerNorm,
  learnedPositions,
  rmsNorm,
  rotaryPositions,
  sgd,
} from "../blocks/mod.ts";
import { parseSafetensors } from "../files/mod.ts";
import {
  type BlockConfig,
  createModel,
  type ModelConfig,
  type TrainingStep,
} from "../model/mod.ts";
import type { PassChoices } from "../layer/mod.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Engine } from "../engine.ts";
import { parseJson } from "../files/json.ts";
import type { TensorData } from "../files/dtypes.ts";
import { goldenExpert } from "./golden_expert.ts";
import { type GoldenFields, goldenLayer } from "./golden_layer.ts";
import { checkTrainingConfig } from "./golden_training_check.ts";
import { SchemoeError } from "../types.ts";

/** A reference run, read from its file. */
export interface GoldenTraining {
  readonly name: string;
  readonly ranks: number;
  readonly steps: number;
  readonly model: ModelConfig;
  /** Parameters at the beginning. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  /** States of gates at the beginning: tables of hashed gates, biases of choices. */
  readonly states: Readonly<Record<string, Float32Array | Int32Array>>;
  /** Of each step, [ranks, batch, context + 1]. */
  readonly tokens: readonly Int32Array[];
  readonly loss: Float64Array;
  readonly gradNorm: Float64Array;
  readonly rates: Float64Array;
  /** Of each parameter: its gradient in step 0, and its values at the end. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly final: Readonly<Record<string, Float32Array>>;
}

/** The configuration in a file. */
interface Config extends Omit<GoldenFields, "vocabulary"> {
  readonly name: string;
  readonly [key: string]: unknown;
  readonly ranks: number;
  readonly steps: number;
  readonly batch: number;
  readonly length: number;
  readonly vocabularySize: number;
  readonly modelDim: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly experts: number;
  readonly hiddenDim: number;
  readonly denseHiddenDim: number;
  readonly blocks: readonly ("moe" | "ffn")[];
  readonly expert: string;
  readonly norm: "rms" | "layer";
  readonly epsilon: number;
  readonly positions: "learned" | "rope";
  readonly ropeBase: number;
  readonly tied: boolean;
  readonly clip: number;
  readonly optimizer:
    | {
      kind: "adamw";
      betas: [number, number];
      epsilon: number;
      weightDecay: number;
      decayed?: readonly string[];
    }
    | { kind: "sgd"; momentum: number };
  readonly schedule: { peak: number; warmup: number; decaySteps: number; final: number };
}

/** What gates know besides their parameters, by the names of a model. */
const GATE_STATE = /^blocks\.\d+\.moe\.gate\.(table|selectionBias)$/;

/**
 * Whether a file is a reference run, and not a case of a layer, by its configuration.
 * @throws {SchemoeError} when it is no safetensors file.
 */
export function isGoldenTraining(bytes: Uint8Array, file: string): boolean {
  const { config = "" } = parseSafetensors(bytes, file).metadata ?? {};
  return /"vocabularySize"/.test(config) && /"steps"/.test(config);
}

/**
 * Reads a reference run.
 * @throws {SchemoeError} when the file has no configuration of one.
 */
export function parseGoldenTraining(bytes: Uint8Array, file: string): GoldenTraining {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  const text = metadata?.config;
  let config: Config | undefined;
  try {
    config = text === undefined ? undefined : parseJson(text);
  } catch (cause) {
    throw new SchemoeError(`Cannot read ${file}: its "config" is not JSON`, { cause });
  }
  if (config?.steps === undefined || config.vocabularySize === undefined) {
    throw new SchemoeError(`Cannot read ${file}: it is no reference training run`);
  }
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot read ${file}: ${problem}`);
  };
  checkTrainingConfig(config, tensors, fail);
  const values = <T extends TensorData>(
    name: string,
    type: new (length: number) => T,
    count?: number,
  ): T => {
    const { data, dtype } = tensors.get(name) ?? fail(`it has no tensor "${name}"`);
    if (!(data instanceof type)) return fail(`its tensor "${name}" is ${dtype}, not ${type.name}`);
    if (count !== undefined && data.length !== count) {
      fail(`its tensor "${name}" has ${data.length} values, its "config" needs ${count}`);
    }
    return data;
  };
  const named = (prefix: string) =>
    Object.fromEntries(
      [...tensors.keys()].filter((name) => name.startsWith(prefix))
        .map((name) => [name.slice(prefix.length), values(name, Float32Array)]),
    );
  const gradients = named("grad."), final = named("final.");
  const states = Object.fromEntries(
    [...tensors].filter(([name]) => GATE_STATE.test(name))
      .map(([name, { data }]) => [name, data as Float32Array | Int32Array]),
  );
  for (const [prefix, others] of [["final.", gradients], ["grad.", final]] as const) {
    for (const name of Object.keys(others)) {
      if (prefix === "grad." && GATE_STATE.test(name)) continue;
      values(prefix + name, Float32Array, others[name].length);
    }
  }
  const { steps, ranks, batch, length } = config;
  const size = ranks * batch * (length + 1);
  const all = values("tokens", Int32Array, steps * size);
  return {
    name: config.name,
    ranks,
    steps,
    model: modelOf(config, tensors, fail),
    states,
    gradients,
    parameters: Object.fromEntries(
      Object.keys(gradients).map((name) => [name, values(name, Float32Array)]),
    ),
    tokens: Array.from({ length: steps }, (_, step) => all.slice(step * size, (step + 1) * size)),
    loss: values("loss", Float64Array, steps),
    gradNorm: values("gradNorm", Float64Array, steps),
    rates: values("lr", Float64Array, steps),
    final,
  };
}

function modelOf(
  config: Config,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  fail: (problem: string) => never,
): ModelConfig {
  const { ranks, experts, hiddenDim, latentDim, optimizer, schedule } = config;
  const ofGates = (name: string) =>
    [...tensors].find(([key]) => key.startsWith("blocks.") && key.endsWith(`.moe.gate.${name}`));
  const hashed = config.gate?.hash && config.blocks.includes("moe");
  if (hashed && !ofGates("table")) {
    fail('its gate has "hash" and it has no tensor "blocks.INDEX.moe.gate.table"');
  }
  if (config.gate?.noise) {
    fail(
      'its "gate.noise" is true: noise is drawn anew in each step, so there is nothing to compare with',
    );
  }
  // whose activation is its own
  const named = config.expert === "llama_ffn" ? { ...config, activation: "silu" } : config;
  const expert = goldenExpert(named, fail);
  const moe: BlockConfig = {
    moe: {
      experts,
      hiddenDim,
      expert,
      ...goldenLayer({
        ...config,
        vocabulary: config.vocabularySize,
        width: ofGates("projection")?.[1].shape[1],
      }),
      ...(latentDim === undefined ? {} : { latentDim }),
      ...(experts % ranks === 0 ? {} : { parallel: { expert: divisor(experts, ranks) } }),
    },
  };
  const { epsilon } = config;
  return {
    vocabulary: config.vocabularySize,
    context: config.length,
    batch: config.batch,
    modelDim: config.modelDim,
    tied: config.tied,
    clip: config.clip,
    attention: {
      heads: config.heads,
      keyValueHeads: config.keyValueHeads,
      headDim: config.headDim,
    },
    layers: config.blocks.map((kind) =>
      kind === "moe" ? moe : { ffn: { hiddenDim: config.denseHiddenDim, expert } }
    ),
    norm: config.norm === "rms" ? rmsNorm({ epsilon }) : layerNorm({ epsilon }),
    positions: config.positions === "rope"
      ? rotaryPositions({ base: config.ropeBase })
      : learnedPositions(),
    optimizer: optimizer.kind === "sgd" ? sgd({ momentum: optimizer.momentum }) : adamw({
      betas: optimizer.betas,
      epsilon: optimizer.epsilon,
      weightDecay: optimizer.weightDecay,
      ...(optimizer.decayed ? { decays: (name) => optimizer.decayed!.includes(name) } : {}),
    }),
    rate: cosineRate({
      peak: schedule.peak,
      warmup: schedule.warmup,
      // a warm-up that the run does not outlast leaves nothing to decay in
      steps: config.steps > schedule.warmup
        ? schedule.decaySteps
        : Math.max(schedule.decaySteps, schedule.warmup + 1),
      final: schedule.final,
    }),
  };
}

const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);

/** Results of a run of a reference: its steps, the gradients of step 0 and the parameters at the end. */
export interface GoldenTrainingRun {
  readonly steps: readonly TrainingStep[];
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly final: Readonly<Record<string, Float32Array>>;
}

/**
 * Runs a reference from its parameters on its tokens.
 * @param options.steps only that many; the parameters at the end are then those after them.
 * @param options.dtype of the model; default float32.
 */
export async function runGoldenTraining(
  engine: Engine,
  golden: GoldenTraining,
  { steps = golden.steps, dtype, ...choices }: PassChoices & {
    readonly steps?: number;
    readonly dtype?: ElementType;
  } = {},
): Promise<GoldenTrainingRun> {
  const { ranks } = engine.topology;
  if (ranks !== golden.ranks) {
    throw new SchemoeError(
      `Cannot run ${golden.name}: it is for ${golden.ranks} ranks, the engine has ${ranks}`,
    );
  }
  using model = createModel(engine, { ...golden.model, ...(dtype ? { dtype } : {}) });
  const missing = Object.keys(model.parameters).find((name) => !(name in golden.parameters));
  if (missing) {
    throw new SchemoeError(`Cannot run ${golden.name}: its file has no tensor "grad.${missing}"`);
  }
  model.set({ ...golden.parameters, ...golden.states });
  const done: TrainingStep[] = [];
  const gradients: Record<string, Float32Array> = {};
  for (let step = 0; step < steps; step++) {
    done.push(await model.step(golden.tokens[step], choices));
    if (step > 0) continue;
    for (const name of Object.keys(golden.gradients)) gradients[name] = await model.gradient(name);
  }
  const final: Record<string, Float32Array> = {};
  for (const name of Object.keys(golden.final)) final[name] = await model.read(name);
  return { steps: done, gradients, final };
}
