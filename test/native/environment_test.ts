import { assertEquals } from "@std/assert";
import { setCudaEnvironment } from "../../lib/native/environment.ts";

Deno.test("setCudaEnvironment() sets what is not set, and nothing that is not asked for", () => {
  const names = ["CUDA_DEVICE_MAX_CONNECTIONS", "NCCL_MULTI_RANK_GPU_ENABLE", "NCCL_NVLS_ENABLE"];
  const before = [...names, "NCCL_SOCKET_IFNAME"].map((name) =>
    [name, Deno.env.get(name)] as const
  );
  const values = () => [...names, "NCCL_SOCKET_IFNAME"].map((name) => Deno.env.get(name));
  try {
    for (const [name] of before) Deno.env.delete(name);
    setCudaEnvironment();
    assertEquals(values(), ["32", undefined, undefined, undefined]);
    Deno.env.set("CUDA_DEVICE_MAX_CONNECTIONS", "4");
    setCudaEnvironment({ nccl: true });
    assertEquals(values(), ["4", "1", "0", undefined]);
    setCudaEnvironment({ nccl: true, emulateNodes: true });
    assertEquals(values(), ["4", "1", "0", "lo"]);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});
