/** CUDA to machine code for the GPU of this machine. @module */
import type { SourceCode } from "../../types.ts";
import { setCudaEnvironment } from "../environment.ts";
import { compileByNvcc } from "./compiler.ts";
import { compileByNvrtc, findNvrtc } from "./nvrtc.ts";
import { cached } from "./cache.ts";
import { textOf } from "./text.ts";

/** What is compiled for where there is no GPU to ask. */
const ELSEWHERE = "sm_90";

/** `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`. */
const CAPABILITY = [75, 76];

const driver = {
  // CUresult cuInit(unsigned flags)
  cuInit: { parameters: ["u32"], result: "i32" },
  // CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device)
  cuDeviceGetAttribute: { parameters: ["buffer", "i32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

let known: string | undefined;

/** Such as `sm_90`: that of the first GPU, or 9.0 without one. */
function architecture(): string {
  return known ??= ofFirstGpu() ?? ELSEWHERE;
}

function ofFirstGpu(): string | undefined {
  let library;
  try {
    library = Deno.dlopen("libcuda.so.1", driver);
  } catch {
    return undefined;
  }
  const { cuInit, cuDeviceGetAttribute } = library.symbols;
  // before the driver has threads, which may read the environment
  setCudaEnvironment();
  if (cuInit(0) !== 0) return undefined;
  const value = new Int32Array(1);
  const numbers = CAPABILITY.map((attribute) =>
    cuDeviceGetAttribute(value, attribute, 0) === 0 ? value[0] : NaN
  );
  return numbers.every(Number.isInteger) ? `sm_${numbers.join("")}` : undefined;
}

/** Machine code of a source in CUDA, by NVRTC or else by nvcc. */
export function compileCuda(code: SourceCode): Uint8Array<ArrayBuffer> {
  const nvrtc = findNvrtc();
  if (!nvrtc) return compileByNvcc(code, architecture());
  const path = cached({
    parts: ["NVRTC", nvrtc.version, architecture(), textOf(code, "cuda")],
    suffix: ".cubin",
    make: (path) => Deno.writeFileSync(path, compileByNvrtc(nvrtc, code, architecture())),
  });
  return Deno.readFileSync(path);
}
