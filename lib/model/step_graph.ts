/** One training step as one graph: forward, backward, reductions, clipping, update. @module */
import {
  backwardGraph,
  forwardGraph,
  gateGraph,
  type PassOptions,
  type Segment,
  stackGraph,
} from "../graph/mod.ts";
import { splitRows } from "../chunking/slot_loads.ts";
import type { Life, Task, TaskGraph } from "../types.ts";
import { attentionBackward, attentionForward, residualForward } from "./attention.ts";
import type { Layer } from "../blocks/mod.ts";
import type { ModelShape } from "./config.ts";
import { denseBackward, denseForward } from "./dense.ts";
import { embeddingBackward, embeddingForward, head } from "./ends.ts";
import { GradientSums } from "./gradient_sums.ts";
import { Part } from "./parts.ts";
import { StepParts } from "./step_parts.ts";
import { layerTensors, NODE_TABLES } from "../memory/mod.ts";
import { cutsOf, isRouted, type StepOptions } from "./step_options.ts";
import { type ModelTensors, MOE_ENDS, moePrefix, partPrefix } from "./tensors.ts";
import { addClip, addUpdate } from "./update.ts";

/**
 * The graph of a step, or of one of its Programs. The norm waits for all gradients, and the updates for the norm, so
 * that all of them are in the last one.
 */
export function stepGraph(
  model: ModelShape,
  tensors: ModelTensors,
  options: StepOptions,
): TaskGraph {
  const step = new StepBuilder(model, tensors, options);
  for (let part = 0; part < model.microbatches; part++) {
    step.forward(part);
    step.backward(part);
  }
  step.update();
  return stackGraph(step.segments, options.configuration, { pass: "step", kept: options.kept });
}

/** The graph of the losses alone, without gradients, or of one of its Programs. */
export function lossGraph(
  model: ModelShape,
  tensors: ModelTensors,
  options: StepOptions,
): TaskGraph {
  const step = new StepBuilder(model, tensors, options);
  for (let part = 0; part < model.microbatches; part++) step.forward(part, { lossOnly: true });
  return stackGraph(step.segments, options.configuration, { kept: options.kept });
}

/** Lives of what all microbatches read. */
const COMMON: readonly Life[] = ["parameter", "state"];

class StepBuilder {
  readonly #parts: StepParts;
  readonly #sums: GradientSums;
  segments: Segment[] = [];
  /** The microbatch that is being added. */
  #microbatch = 0;
  /** The Program that is being passed. */
  #program = 0;

  constructor(
    readonly model: ModelShape,
    readonly tensors: ModelTensors,
    readonly options: StepOptions,
  ) {
    this.#parts = options.parts ?? new StepParts(tensors);
    this.#sums = new GradientSums({
      model,
      parts: this.#parts,
      part: (prefix, layer, pass) => this.#part(prefix, layer, pass),
      push: (segment) => this.segments.push(segment),
    });
  }

  /** Whether segments are of the Program that is asked for. */
  get #here(): boolean {
    return this.#program === (this.options.program ?? 0);
  }

  forward(microbatch: number, { lossOnly = false } = {}): void {
    const { layers } = this.model;
    this.#microbatch = microbatch;
    this.#simple("embedding.", 0, "forward", embeddingForward);
    for (const [index, block] of layers.entries()) {
      const second = normAfter(this.model, index);
      this.#simple(`B${index}.`, index, "forward", (part) => attentionForward(part, index, second));
      if ("moe" in block) this.#experts(index, block.moe);
      else {
        const { ffn } = block;
        this.#simple(`B${index}.ffn.`, index, "forward", (part) => denseForward(part, index, ffn));
      }
      this.#simple(`B${index}.out.`, index, "forward", (part) => residualForward(part, index));
    }
    if (!this.#here) return;
    this.#once(lossOnly ? "loss." : "head.", () => {
      const part = this.#part("head.", Math.max(0, layers.length - 1), "forward");
      const task = head(part, lossOnly);
      if (lossOnly) this.segments.push(part.segment([task]));
      else this.#sums.complete(part, "head", [task], task);
    });
  }

  /** Forward through a Mixture-of-Experts layer; one of routed rows begins another Program after its gate. */
  #experts(index: number, layer: Layer): void {
    const { configuration, dispatch, rowsOf } = this.options;
    const routed = isRouted(layer, dispatch, rowsOf(index, this.#microbatch).rows.counted);
    if (routed) {
      if (this.#here) {
        const graph = gateGraph(layer, configuration, { gather: dispatch === "node" });
        this.segments.push({ ...this.#layer(graph, index, "gate"), exits: [] });
      }
      this.#program++;
    }
    if (!this.#here) return;
    const graph = forwardGraph({ ...this.#moe(index), gate: !routed });
    this.segments.push({ ...this.#layer(graph, index), exits: [graph.tasks.at(-1)!] });
  }

  backward(microbatch: number): void {
    if (!this.#here) return;
    const { layers } = this.model;
    this.#microbatch = microbatch;
    for (const [index, block] of [...layers.entries()].reverse()) {
      const second = normAfter(this.model, index);
      if ("moe" in block) {
        const moe = this.#moe(index);
        const graph = backwardGraph({ ...moe, forwardChunks: moe.chunks });
        // attention adds to dy in place, so that all that read it come first
        const exits = graph.tasks.filter(({ label, uses }) =>
          label === "dispatch" || label === "gate" || uses?.includes("dy")
        );
        this.segments.push({ ...this.#layer(graph, index), exits });
        this.#sums.completeExperts(index, microbatch, { after: graph.tasks, exits });
      } else {
        const { ffn } = block;
        this.#once(`B${index}.ffn.grad.`, (prefix) => {
          const part = this.#part(prefix, index, "backward");
          const { input, weights } = denseBackward(part, index, ffn);
          this.segments.push(part.segment([input, weights]));
        });
      }
      this.#once(`B${index}.grad.`, (prefix) => {
        const part = this.#part(prefix, index, "backward");
        const { input, weights } = attentionBackward(part, index, second);
        this.#sums.complete(part, `blocks.${index}`, [input, weights], input);
      });
    }
    this.#once("embedding.grad.", (prefix) => {
      const part = this.#part(prefix, 0, "backward");
      const task = embeddingBackward(part);
      this.#sums.complete(part, "embedding", [task], task);
    });
  }

  update(): void {
    if (!this.#here) return;
    const { segments: [update] } = this.#parts.get("update.", () => {
      const part = this.#part("update.", 0, "step");
      const clip = addClip(part, this.#parts.sums);
      for (const { name, parameters } of this.tensors.groups) {
        addUpdate(part, `update ${name}`, parameters.map(({ name }) => name), clip);
      }
      for (const [index, block] of this.model.layers.entries()) {
        if (!("moe" in block)) continue;
        const prefix = moePrefix(index);
        const names = layerTensors(block.moe).names("parameter").map((name) => prefix + name);
        addUpdate(part, `update ${prefix}experts`, names, clip);
      }
      return { segments: [part.segment([])], squares: [] };
    });
    this.segments.push({ ...update, after: this.#sums.squares });
  }

  /** Adds what no routing changes, as it was made before; sums over microbatches depend on what was added before. */
  #once(prefix: string, add: (prefix: string) => void): void {
    if (this.model.microbatches > 1) return add(prefix);
    const { segments, squares } = this.#parts.get(prefix, () => {
      const before = { segments: this.segments, squares: this.#sums.squares };
      const made = { segments: this.segments = [], squares: this.#sums.squares = [] };
      add(prefix);
      this.segments = before.segments;
      this.#sums.squares = before.squares;
      return made;
    });
    this.segments.push(...segments);
    this.#sums.squares.push(...squares);
  }

  #part(prefix: string, layer: number, pass: Task["pass"]): Part {
    const microbatch = this.#microbatch;
    const named = partPrefix(this.model, microbatch) + prefix;
    return new Part(this.model, this.tensors, { prefix: named, layer, pass, microbatch });
  }

  #simple(prefix: string, layer: number, pass: Task["pass"], add: (part: Part) => Task): void {
    if (!this.#here) return;
    this.#once(prefix, () => {
      const part = this.#part(prefix, layer, pass);
      this.segments.push(part.segment([add(part)]));
    });
  }

  #moe(index: number): PassOptions {
    const { layers } = this.model;
    const block = layers[index];
    if (!("moe" in block)) throw new Error(`block ${index} has no experts`);
    const { allToAll, compressor, configuration, rowsOf, reassociate } = this.options;
    const { rows, chunks, node } = rowsOf(index, this.#microbatch);
    return {
      layer: block.moe,
      ...splitRows(block.moe, rows, chunks),
      chunks,
      allToAll,
      compressor,
      ...(node ? { node } : {}),
      configuration,
      scope: `B${index}.`,
      reassociate,
    };
  }

  /** Lives in a layer's graphs of what a step needs no longer than that, if it is one Program. */
  get #within(): readonly Life[] {
    const { dispatch, rowsOf } = this.options;
    const countedOf = (block: number) => rowsOf(block, this.#microbatch).rows.counted;
    if (cutsOf(this.model, dispatch, countedOf).length > 0) return [];
    return partPrefix(this.model, this.#microbatch) === "" ? ["saved"] : ["saved", "gradient"];
  }

  /** A pass over a Mixture-of-Experts layer: buffers of one step live within it. */
  #layer(graph: TaskGraph, index: number, pass: string = graph.pass): Omit<Segment, "exits"> {
    const of = `blocks.${index}.`;
    const prefix = partPrefix(this.model, this.#microbatch);
    const lifeOf = (name: string): Life => graph.lives?.[name] ?? "saved";
    const within = this.#within;
    const names = Object.keys(graph.buffers);
    const lives = Object.fromEntries(
      names.filter((name) => MOE_ENDS.includes(name) || within.includes(lifeOf(name)))
        .map((name) => [name, "pass" as Life]),
    );
    // what a microbatch makes has a name of its own, what all read has not
    const own = prefix === ""
      ? []
      : names.filter((name) => isTable(name) || !COMMON.includes(lifeOf(name)));
    return {
      graph,
      layer: index,
      prefix: `${prefix}B${index}.moe.${pass}.`,
      lives,
      buffers: moePrefix(index),
      shared: {
        ...Object.fromEntries(own.map((name) => [name, prefix + moePrefix(index) + name])),
        x: `${prefix}${of}x`,
        y: `${prefix}${of}y`,
        dy: `${prefix}dh`,
        "grad.x": `${prefix}dx`,
      },
    };
  }
}

/** Whether a buffer says where the rows of a microbatch lie. */
const isTable = (name: string): boolean => NODE_TABLES.some((table) => table === name);

/** Name of the norm before experts or feed-forward network. */
const normAfter = ({ layers }: ModelShape, index: number): string =>
  `blocks.${index}.${"moe" in layers[index] ? "moe" : "ffn"}.norm`;
