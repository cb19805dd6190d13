/** The norm of all gradients, and the update of all parameters. @module */
import { addAllReduce } from "../graph/mod.ts";
import { clipScale, round } from "../kernels/mod.ts";
import type { Kernel, Task, View } from "../types.ts";
import { type Part, type SquareSums, WORD } from "./parts.ts";
import { masterOf } from "./tensors.ts";

/** Sums the squares of gradients that are complete. */
export function addSquares(part: Part, sums: SquareSums, names: readonly string[]): Task {
  const kernels = names.map((name) => sums.kernel(part, name));
  const kernelsOf = (rank: number) => names.map((name) => sums.kernelOn(rank, part, name));
  return part.work({ label: "squares", kernels, kernelsOf });
}

/** The norm over all ranks' gradients, and the factor that keeps it below the limit. */
export function addClip(part: Part, sums: SquareSums): Task {
  const { ranks } = part.model.topology;
  const whole = part.floats("norm.sums", sums.count);
  const after: Task[] = [];
  if (ranks > 1 && sums.split > 0) {
    const place = { name: "norm", stage: 0, chunk: -1, after: [] };
    after.push(addAllReduce(part.g, place, {
      part: part.floats("norm.part", sums.split),
      sum: { ...whole, offset: WORD * sums.same },
      count: sums.split,
    }));
  }
  const { clip: limit } = part.model;
  const out = part.tensor("optimizer.clip");
  return part.work({
    label: "clip",
    stage: 3,
    after,
    kernels: [clipScale({ count: sums.count, sums: whole, out, limit })],
  });
}

/** Parameters of a layer's own that are matrices. */
const LAYER_MATRIX =
  /\.(gate\.(weight|noiseWeight|projection)|(experts|shared)\.w\d+|latent\.\w+)$/;

/** Updates parameters of which each gradient is a part of a tensor. */
export function addUpdate(part: Part, label: string, names: readonly string[], after: Task): Task {
  const { optimizer } = part.model;
  const { table, gradients, groups } = part.tensors;
  const clip = part.tensor("optimizer.clip"), rates = part.tensor("optimizer.rates");
  const kernels: Kernel[] = [];
  let words = 0;
  for (const name of names) {
    const place = gradients.get(name)!;
    const known = groups.flatMap(({ parameters }) => parameters).find((one) => one.name === name);
    const count = table.localElements(name);
    words += count * (3 + 2 * optimizer.states.length);
    const rounded = table.get(name).dtype === "bfloat16";
    const parameter = part.tensor(rounded ? masterOf(name) : name);
    const gradient: View = { ...part.tensor(place.tensor), offset: WORD * place.first };
    kernels.push(...optimizer.update({
      name,
      count,
      clip,
      rates,
      gradient,
      parameter,
      decayed: known?.decayed ?? LAYER_MATRIX.test(name),
      state: (state) => part.tensor(`optimizer.${name}.${state}`),
    }));
    if (rounded) kernels.push(round(count, parameter, part.tensor(name)));
  }
  return part.work({
    label,
    stage: 4,
    kernels,
    bytes: WORD * words,
    after: [after],
    flops: 8 * words,
  });
}
