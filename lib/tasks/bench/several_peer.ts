/** A layer in PyTorch with the values of ours: its times, and how far our results are from its. @module */
import type { MoeLayer } from "../../layer/mod.ts";
import { type Answer, TorchRanks } from "./torch_ranks.ts";
import type { Row } from "./report.ts";
import type { SeveralShape } from "./several_shapes.ts";
import type { Repetitions } from "./several_times.ts";

/** Runs of each kind of products before the faster is known. */
const TRIED = 4;
/** Seconds that PyTorch may take to start, to read files, to run or to compile: processes share cores and disk. */
const limitOf = (ranks: number): number => 40 + 10 * ranks;

/** Where PyTorch runs. */
export interface PeerOptions {
  readonly folder: string;
  readonly ranks: number;
  readonly device: "cuda" | "cpu";
  readonly python?: string;
}

/** PyTorch's processes, started when they are first needed and anew after a failure. */
export class SeveralPeer implements AsyncDisposable {
  readonly #options: PeerOptions;
  #starting?: Promise<TorchRanks>;
  #compiles = true;

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  get #limit(): number {
    return limitOf(this.#options.ranks);
  }

  /** The processes; called early, they start while something else is made ready. */
  start(): Promise<TorchRanks> {
    return this.#starting ??= TorchRanks.start({ ...this.#options, seconds: this.#limit });
  }

  /** Versions and GPU. */
  async about(): Promise<Row> {
    const [{ torch, gpu }] = (await this.start()).about;
    return { torch: String(torch), ...(gpu === undefined ? {} : { gpu: String(gpu) }) };
  }

  /** Gives PyTorch input, gradient and parameters of a layer. */
  async load(layer: MoeLayer, { topK, modelDim, hiddenDim, experts }: SeveralShape): Promise<void> {
    const names = ["x", "dy", ...Object.keys(layer.parameters)];
    const tensors = await this.#write(names, (name) => layer.read(name, { stored: true }));
    const sizes = { topK, modelDim, hiddenDim, experts };
    await this.#ask({ do: "load", sizes, tensors });
  }

  /** Times in milliseconds of eager PyTorch with the faster kind of products. */
  async eager(again: Repetitions): Promise<Row> {
    const [{ grouped }] = (await this.start()).about;
    const tried: { kind: string; both: number }[] = [];
    for (const kind of grouped ? ["grouped", "loop"] : ["loop"]) {
      tried.push({ kind, ...await this.#time(kind, { warm: 0, repetitions: TRIED }) });
    }
    const { kind } = tried.toSorted((a, b) => a.both - b.both)[0];
    const { forward, both } = await this.#time(kind, again);
    return { eager: kind, eagerForward: forward, eagerBoth: both };
  }

  /** The same of what `torch.compile` makes of it, where PyTorch can; not tried again after a failure. */
  async compiled(again: Repetitions): Promise<Row> {
    const [{ compiles }] = (await this.start()).about;
    if (!compiles || !this.#compiles) return {};
    this.#compiles = false;
    const { forward, both } = await this.#time("compile", again);
    this.#compiles = true;
    return { compileForward: forward, compileBoth: both };
  }

  /** Of the slowest rank. */
  async #time(peer: string, again: Repetitions): Promise<{ forward: number; both: number }> {
    const answers = await this.#ask({ do: "time", peer, ...again });
    const slowest = (of: string) => Math.max(...answers.map((answer) => Number(answer[of])));
    return { forward: thousandths(slowest("forward")), both: thousandths(slowest("both")) };
  }

  /** Relative errors of our results under what ran last, of tokens that both route alike. */
  async errors(layer: MoeLayer): Promise<Row> {
    const forward = await layer.forward();
    const files = await this.#write(
      ["y", "gate.choices"],
      (name) => forward.read(name, { stored: true }),
    );
    const backward = await layer.backward();
    const gradients = ["x", ...Object.keys(layer.parameters)].map((name) => `grad.${name}`);
    const more = await this.#write(gradients, (name) => backward.read(name, { stored: true }));
    const answers = await this.#ask({ do: "compare", tensors: { ...files, ...more } });
    return errorsOf(answers);
  }

  /** Writes tensors to files; their types by name. */
  async #write(
    names: readonly string[],
    read: (name: string) => Promise<ArrayBufferView>,
  ): Promise<Record<string, string>> {
    const types: Record<string, string> = {};
    for (const name of names) {
      const values = await read(name);
      const { buffer, byteOffset, byteLength } = values;
      const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
      await Deno.writeFile(`${this.#options.folder}/${name}`, bytes);
      types[name] = values instanceof Uint16Array
        ? "bfloat16"
        : values instanceof Int32Array
        ? "int32"
        : "float32";
    }
    return types;
  }

  async #ask(command: Answer): Promise<readonly Answer[]> {
    const ranks = await this.start();
    try {
      return await ranks.ask(command, this.#limit);
    } catch (error) {
      this.#starting = undefined; // they have ended
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const started = await this.#starting?.catch(() => undefined);
    await started?.[Symbol.asyncDispose]();
  }
}

/** Largest difference over all ranks as a share of the largest value, tensor by tensor. */
function errorsOf(answers: readonly Answer[]): Row {
  const of = (answer: Answer) => answer.differences as Record<string, readonly [number, number]>;
  const errors = Object.keys(of(answers[0])).map((name) => {
    const [difference, value] = [0, 1].map((i) =>
      Math.max(...answers.map((answer) => of(answer)[name][i]))
    );
    return [name, difference / value] as const;
  });
  return {
    flippedTokens: answers.reduce((sum, { flipped }) => sum + Number(flipped), 0),
    flippedGap: Math.max(...answers.map(({ gap }) => Number(gap))),
    largestError: Number(Math.max(...errors.map(([, error]) => error)).toExponential(1)),
    errors: errors.map(([name, error]) => `${name} ${error.toExponential(1)}`).join(", "),
  };
}

const thousandths = (ms: number): number => Math.round(1e3 * ms) / 1e3;
