/**
 * The words of Kineto, PyTorch's profiler, for kernels and collectives
 * (github.com/pytorch/kineto, libkineto/src/output_json.cpp), and what they are in a timeline.
 * @module
 */
import type { TaskKind } from "../../types.ts";

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
const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  ...{ Byte: 1, Char: 1, Bool: 1, Float8_e4m3fn: 1, Float8_e5m2: 1 },
  ...{ Half: 2, BFloat16: 2, Short: 2, UInt16: 2 },
  ...{ Float: 4, Int: 4, UInt32: 4, ComplexHalf: 4 },
  ...{ Double: 8, Long: 8, UInt64: 8, ComplexFloat: 8, ComplexDouble: 16 },
};

/** Collectives by what their names hold, in lower case and without `_`; the first that fits. */
const COLLECTIVES = [
  { name: "allToAll", words: ["alltoall", "sendrecv"], kind: "allToAll" },
  { name: "reduceScatter", words: ["reducescatter"], kind: "allReduce" },
  { name: "allReduce", words: ["allreduce"], kind: "allReduce" },
  { name: "allGather", words: ["allgather"], kind: "allReduce" },
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

/** Whether a kernel is one of NCCL, RCCL or MSCCL. */
export const isNccl = (kernel: string): boolean => /^(void )?(nccl|rccl|msccl)/i.test(kernel);

/**
 * What a collective or a NCCL kernel does. A timeline knows two kinds of communication: `allReduce`
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
  const elements = Number(args[NCCL.inElements] ?? 0);
  const size = ELEMENT_BYTES[String(args[NCCL.dtype])] ?? 0;
  return elements > 0 && elements < Infinity ? elements * size : 0;
}

/** Ranks as PyTorch writes them: of more than 30 the first ones and the last. */
export function rankList(ranks: readonly number[]): string {
  if (ranks.length <= 30) return `[${ranks.join(", ")}]`;
  return `[${ranks.slice(0, 29).join(", ")}, ..., ${ranks.at(-1)}]`;
}
