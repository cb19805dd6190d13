/**
 * Variables of the environment that CUDA and NCCL read once. They are set here, on JavaScript's thread and
 * before a native engine is opened: `setenv` in the native library would race with other threads that read
 * the environment meanwhile. It does so only for a caller without this, and never changes a value that is set.
 * `NCCL_HOSTID`, by which nodes are emulated, is different for each copy of NCCL, so that the library must set
 * it while such an engine is opened.
 * @module
 */

/** Streams of a GPU that do not wait for each other without a reason; the default is 8. */
const CUDA = { CUDA_DEVICE_MAX_CONNECTIONS: "32" } as const;
/** Several ranks may share a GPU; and NVLink's multicast, which not every machine allows, is not used. */
const NCCL = { NCCL_MULTI_RANK_GPU_ENABLE: "1", NCCL_NVLS_ENABLE: "0" } as const;
const EMULATED = { NCCL_SOCKET_IFNAME: "lo" } as const;

/** Sets variables of a CUDA engine that the user has not set; without the permission it does nothing. */
export function setCudaEnvironment(
  { nccl = false, emulateNodes = false }: { nccl?: boolean; emulateNodes?: boolean } = {},
): void {
  const wanted = { ...CUDA, ...(nccl ? NCCL : {}), ...(nccl && emulateNodes ? EMULATED : {}) };
  for (const [variable, value] of Object.entries(wanted)) {
    const { state } = Deno.permissions.querySync({ name: "env", variable });
    if (state === "granted" && Deno.env.get(variable) === undefined) Deno.env.set(variable, value);
  }
}
