/**
 * The kernels of the native library: code and arguments of each. `schemoe.h` says what each does;
 * a test compares this table with what the library reports.
 *
 * Letters: `i` integer, `f` float, `v` view (two words), `*` any number of further integers.
 */
export const KERNELS = {
  gemm: { code: 1, args: "iiiiiiiiviiviiviiffvii" },
  bias_act: { code: 2, args: "iiiiviiviviii*" },
  act_grad: { code: 3, args: "iiiiviiviiviii*" },
  glu: { code: 4, args: "iiiiviiviiviii*" },
  glu_grad: { code: 5, args: "iiiiviiviiviiviiviii*" },
  column_sum: { code: 6, args: "iiiiviivii*" },
  softmax: { code: 7, args: "iivv" },
  top_k: { code: 8, args: "iiiivvv" },
  positions: { code: 9, args: "iiiivvvv" },
  aux_loss: { code: 10, args: "iiivvv" },
  slots: { code: 11, args: "iiiivvv" },
  dispatch: { code: 12, args: "iiiiivvvv*" },
  combine: { code: 13, args: "iiiiivvvvvi*" },
  row_dot: { code: 14, args: "iiiiivvvvv*" },
  gate_grad: { code: 15, args: "iiiivvvvvf" },
  encode: { code: 16, args: "iiiiiiiiviiiviiii*" },
  decode: { code: 17, args: "iiiiiiiiviiiviiii*" },
  sum_ranks: { code: 18, args: "iiivv" },
  max_ranks: { code: 19, args: "ivv" },
  fill: { code: 20, args: "ivf" },
  max_load: { code: 21, args: "ivv" },
  host: { code: 22, args: "i" },
  copy_bytes: { code: 23, args: "ivv" },
  gemm_groups: { code: 24, args: "iiiiiiiiviiviiviiffvii*" },
  place_tokens: { code: 25, args: "iiiiivvvvv*" },
  group_rows: { code: 26, args: "iiiiiiiiivv*" },
  ungroup_rows: { code: 27, args: "iiiiiiiiivv*" },
  random_normal: { code: 28, args: "iiiiivf" },
  embedding: { code: 60, args: "iiiivvvv" },
  embedding_grad: { code: 61, args: "iiiivvvv" },
  rotary: { code: 62, args: "iiiivfi" },
  norm: { code: 63, args: "iiivvvvvf" },
  norm_grad: { code: 64, args: "iiivvvvvi" },
  norm_weight_grad: { code: 65, args: "iiivvvvv" },
  attention: { code: 66, args: "iiiiivvvvvf" },
  attention_grad: { code: 67, args: "iiiiivvvvvvvvvf" },
  add: { code: 68, args: "ivvv" },
  cross_entropy: { code: 69, args: "iivvvf" },
  sum_values: { code: 70, args: "iivv" },
  clip_scale: { code: 71, args: "ivvf" },
  adamw: { code: 72, args: "ivvvvvvffff" },
  sgd: { code: 73, args: "ivvvvvf" },
} as const satisfies Record<string, { code: number; args: string }>;

/** Pieces of an all-to-all phase, which the packer writes from a task's transfers. */
export const TRANSFERS = {
  copy: { code: 32, args: "ivv" },
  send: { code: 33, args: "iiv" },
  receive: { code: 34, args: "iiv" },
} as const satisfies Record<string, { code: number; args: string }>;

/** Name of a native kernel. */
export type KernelName = keyof typeof KERNELS;
