/** The dense feed-forward network of a block: an expert that gets every token. @module */
import { checked, host } from "../kernels/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import type { Task } from "../types.ts";
import { blockBuffers, gradientBuffers } from "./attention.ts";
import type { DenseBlock } from "./config.ts";
import type { Part } from "./parts.ts";

function contextOf(part: Part, index: number, { expert, hiddenDim }: DenseBlock): ExpertContext {
  const { modelDim } = part.model;
  const b = blockBuffers(part, index);
  const { dh, dx } = gradientBuffers(part);
  const shape = { modelDim, hiddenDim };
  const group = part.group(`blocks.${index}`);
  const name = `blocks.${index}.ffn`;
  return {
    shape,
    experts: 1,
    firstExpert: 0,
    first: true,
    x: b.x,
    y: b.y,
    dx,
    dy: dh,
    host,
    parameter: (of) => part.parameter(`${name}.${of}`),
    gradient: (of) => part.gradient(group, `${name}.${of}`),
    saved: (of) => {
      const { columns } = expert.saved(shape).find((saved) => saved.name === of)!;
      return part.rows(`${name}.saved.${of}`, columns);
    },
  };
}

/** The network on all tokens. */
export function denseForward(part: Part, index: number, config: DenseBlock): Task {
  const context = contextOf(part, index, config);
  return part.work({
    label: "ffn",
    kind: "expert",
    flops: part.model.tokens * config.expert.flops(context.shape).forward,
    kernels: checked(config.expert.forward(context), [context.y]),
  });
}

/** Its gradients: of the input, and of the weights in a task of its own. */
export function denseBackward(
  part: Part,
  index: number,
  config: DenseBlock,
): { readonly input: Task; readonly weights: Task } {
  const { expert } = config;
  const context = contextOf(part, index, config);
  const flops = expert.flops(context.shape);
  const { tokens } = part.model;
  const input = part.work({
    label: "ffn",
    kind: "expertInputGrad",
    flops: tokens * flops.inputGrad,
    kernels: checked(expert.inputGrad!(context), [context.dx]),
  });
  // not to be put off: the gradient that it reads is added to next
  const weights = part.work({
    label: "ffnW",
    kind: "expertWeightGrad",
    after: [input],
    stage: 1,
    flops: tokens * flops.weightGrad,
    kernels: expert.weightGrad!(context),
  });
  return { input, weights };
}
