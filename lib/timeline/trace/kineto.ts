/**
 * The words of Kineto, PyTorch's profiler, for kernels and collectives
 * (github.com/pytorch/kineto, libkineto/src/output_json.cpp), and what they are in a timeline.
 * @module
 */
import type { TaskKind } from "../../types.ts";
import { positiveOf, textOf } from "./fields.ts";

/** Arguments of a NCCL kernel, by the names that Kineto writes. */
export const NCCL = {
  collective: "Collective name",
  inElements: "In msg nelems",
  outElements: "Out msg nelems",
  groupSize: "Group size",
  dtype: "dtype",
  groupName: "Process Group Name",
  groupDescription: "Process Group Description",
  groupRanks: "Process Group Ranks",
} as const;

/** Bytes of an element, by PyTorch's names of types. */
const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    1: [
      "Byte",
      "Char",
      "Bool",
      "Float8_e4m3fn",
      "Float8_e5m2",
      "Float8_e4m3fnuz",
      "Float8_e5m2fnuz",
    ],
    2: ["Half", "BFloat16", "Short", "UInt16"],
    4: ["Float", "Int", "UInt32", "ComplexHalf"],
    8: ["Double", "Long", "UInt64", "ComplexFloat"],
    16: ["ComplexDouble"],
  }).flatMap(([bytes, names]) => names.map((name) => [name, Number(bytes)])),
);

/** Kinds of GPU work by category, in small letters and without `_`: PyTorch up to 1.12 wrote `Memcpy`. */
const GPU_WORK: ReadonlyMap<string, GpuWork> = new Map([
  ["kernel", "kernel"],
  ["concurrentkernel", "kernel"],
  ["gpukernel", "kernel"],
  ["gpumemcpy", "memcpy"],
  ["memcpy", "memcpy"],
  ["gpumemset", "memset"],
  ["memset", "memset"],
]);

/** What ran on a GPU. */
export type GpuWork = "kernel" | "memcpy" | "memset";

/** What ran on a GPU, by the categories of an event, which commas separate; undefined for all else. */
export function gpuWorkOf(category: string): GpuWork | undefined {
  const known = GPU_WORK.get(category);
  if (known || category.length > 200) return known;
  for (const one of category.split(",")) {
    const found = GPU_WORK.get(one.toLowerCase().replace(/[^a-z]/g, ""));
    if (found) return found;
  }
}

/** The process that profilers of PyTorch before Kineto gave to kernels, whose events have no category. */
export const LEGACY_GPU_PROCESS = "CUDA functions";

/** Collectives by what their names hold, in lower case and without `_`; the first that fits. */
const COLLECTIVES = [
  { name: "allToAll", words: ["alltoall", "all2all", "a2a", "sendrecv"], kind: "allToAll" },
  { name: "reduceScatter", words: ["reducescatter"], kind: "allReduce" },
  { name: "allReduce", words: ["allreduce"], kind: "allReduce" },
  { name: "allGather", words: ["allgather"], kind: "allReduce" },
  { name: "dispatch", words: ["dispatch"], kind: "allToAll" },
  { name: "combine", words: ["combine"], kind: "allToAll" },
  { name: "broadcast", words: ["broadcast"], kind: "allReduce" },
  { name: "gather", words: ["gather"], kind: "allToAll" },
  { name: "scatter", words: ["scatter"], kind: "allToAll" },
  { name: "reduce", words: ["reduce", "barrier"], kind: "allReduce" },
  { name: "receive", words: ["recv", "receive"], kind: "allToAll" },
  { name: "send", words: ["send"], kind: "allToAll" },
] as const satisfies readonly { name: string; words: readonly string[]; kind: TaskKind }[];

/** A collective: its kind in a timeline and its own name. */
export interface Collective {
  readonly name: string;
  readonly kind: TaskKind;
}

/**
 * Kind of a collective or a communication kernel, by its name. A timeline knows two kinds of communication: `allReduce`
 * stands for all collectives of replicated data, `allToAll` for all that move each rank's own.
 */
export function collectiveOf(name: string): Collective {
  const plain = name.replace(/[_ ]/g, "").toLowerCase();
  const found = COLLECTIVES.find(({ words }) => words.some((word) => plain.includes(word)));
  return found ?? { name: "collective", kind: "allReduce" };
}

/**
 * Bytes that a rank of `group` sends over links for a message of `bytes`: the factors of nccl-tests
 * (github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md, "bus bandwidth").
 */
export function sentOverLinks({ name }: Collective, bytes: number, group: number): number {
  if (name === "receive") return 0;
  const factors: Record<string, number> = {
    allToAll: (group - 1) / group,
    allReduce: 2 * (group - 1) / group,
    reduceScatter: (group - 1) / group,
    allGather: group - 1,
  };
  return group > 1 ? bytes * (factors[name] ?? 1) : name === "send" ? bytes : 0;
}

/** Bytes of the elements that go in, 0 where the trace does not say. */
export function messageBytes(args: Readonly<Record<string, unknown>>): number {
  return positiveOf(args[NCCL.inElements]) * (ELEMENT_BYTES.get(textOf(args[NCCL.dtype])) ?? 0);
}

/** Ranks as PyTorch writes them: of more than 30 the first ones and the last. */
export function rankList(ranks: readonly number[]): string {
  if (ranks.length <= 30) return `[${ranks.join(", ")}]`;
  return `[${ranks.slice(0, 29).join(", ")}, ..., ${ranks.at(-1)}]`;
}
