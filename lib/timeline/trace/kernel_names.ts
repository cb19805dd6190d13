/**
 * Names of GPU kernels: which communicate, and their short forms.
 * @module
 */

/** Characters of a name that are looked at. */
const MOST_NAME = 1000;
const MOST_LABEL = 24;

/** Libraries all of whose kernels communicate: NVIDIA, AMD, Microsoft, Huawei, Intel, OpenSHMEM. */
const LIBRARY =
  /(?:^|[^a-z])(?:nccl|rccl|mscclpp|msccl|hccl|hcom_|oneccl|xccl|nvshmem|roc_?shmem|ishmem)|userbuffers/;
/** Collectives by name, without underscores, in whatever library. */
const COLLECTIVE =
  /allreduce|allgather|reducescatter|alltoall|all2all|crossdevicereduce|quickreduce|sendrecv|multimem|moea2a|epa2a|p2psend|p2precv/;
/** The short name of all-to-all, as a word of its own. */
const SHORT_COLLECTIVE = /(?:^|[^a-z])a2a/;
/** The same words inside a thread block, or in the names of what a compiler fused around them. */
const WITHIN_A_GPU =
  /(?:block|warp|wave|wavefront|thread|cta|cluster|subgroup|simd|lane)_*all_*reduce|^triton_[a-z]+_fused/;
/** Expert-parallel libraries: DeepEP and its kind, pplx-kernels, MORI, UCCL, FastEP, TensorRT-LLM. */
const EXPERT_PARALLEL =
  /deep_?ep|hybrid_?ep|fast_?ep|nccl_?ep|uccl|pplx|(?:^|[^a-z])mori|mnnvl|moe_?comm|(?:^|[^a-z])ep(?:::|_?(?:dispatch|combine))/;
/** What kernels of those do that crosses GPUs. */
const EXCHANGE = /dispatch|combine|notify|barrier|low_?latency|send|recv/;
/** What kernels around them do on one GPU: work out places, and move rows to them. */
const LOCAL = /layout|permut|preprocess|prefix|histogram|sort|scan|topk|index/;

/** Whether a kernel moves data between GPUs, by its name. */
export function communicates(kernel: string): boolean {
  const path = functionPath(kernel).toLowerCase();
  if (LIBRARY.test(path)) return true;
  if (LOCAL.test(path) || WITHIN_A_GPU.test(path)) return false;
  return COLLECTIVE.test(path.replaceAll("_", "")) || SHORT_COLLECTIVE.test(path) ||
    (EXPERT_PARALLEL.test(path) && EXCHANGE.test(path));
}

/** Whether a kernel is one of NCCL or of the libraries with its names. */
export const isNccl = (kernel: string): boolean =>
  /(?:^|[^a-z])(?:nccl|rccl|msccl)/i.test(functionPath(kernel));

/** `void at::native::gemm<float>(int)` as `gemm`. */
export function shortName(kernel: string): string {
  const last = functionPath(kernel).split(/::|\s/).filter(Boolean).at(-1) ?? kernel;
  return last.length > MOST_LABEL ? `${last.slice(0, MOST_LABEL - 1)}…` : last;
}

/** A kernel's function with its namespaces, without types, templates and parameters. */
export function functionPath(kernel: string): string {
  let plain = kernel.slice(0, MOST_NAME);
  if (plain.startsWith("_Z")) return demangled(plain);
  for (let before = ""; before !== plain;) {
    [before, plain] = [plain, plain.replace(/<[^<>]*>|\([^()]*\)/g, "")];
  }
  // What is cut off leaves brackets open.
  return plain.replace(/[<(].*$/s, "");
}

/** The names in a symbol of the Itanium C++ ABI, as far as its first template: `_ZN1a1bILi1EE` as `a::b`. */
function demangled(symbol: string): string {
  const names: string[] = [];
  let at = /^_ZN?K?/.exec(symbol)![0].length;
  for (
    let size = /^\d{1,4}/.exec(symbol.slice(at));
    size;
    size = /^\d{1,4}/.exec(symbol.slice(at))
  ) {
    at += size[0].length;
    const name = symbol.slice(at, at + Number(size[0]));
    at += name.length;
    if (!name.startsWith("_GLOBAL__N")) names.push(name);
  }
  return names.length > 0 ? names.join("::") : symbol;
}
