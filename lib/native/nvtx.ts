/** Whether engines make NVTX ranges. @module */
import { SchemoeError } from "../types.ts";
import { describeLibrary, type EngineKind, libraryPath, openLibrary } from "./library.ts";
import { Status } from "./status.ts";
import { quoted } from "../words.ts";

const VARIABLE = "SCHEMOE_NVTX";

/**
 * The option; where it is absent, whether `SCHEMOE_NVTX` is 1.
 *
 * @param kind of the engine whose library must have been built with NVTX then.
 * @throws {SchemoeError} for an option that is not boolean, another value of the variable, and when the
 *   library has no NVTX.
 */
export function wantsNvtx(option: boolean | undefined, kind: EngineKind): boolean {
  if (typeof (option ?? false) !== "boolean") {
    fail(`nvtx must be true or false, got ${quoted(option)}`);
  }
  if (!(option ?? fromEnvironment())) return false;
  if (!describeLibrary(openLibrary(libraryPath(kind))).features.nvtx) {
    fail(
      "nvtx asks for NVTX ranges, and the native library was built without the headers of NVTX; install " +
        "those of the CUDA toolkit (nvtx3, found in /usr/local/cuda or by CUDA_HOME) and rebuild it",
      Status.unsupported,
    );
  }
  return true;
}

function fromEnvironment(): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable: VARIABLE });
  const value = state === "granted" ? Deno.env.get(VARIABLE) ?? "" : "";
  if (!["", "0", "1"].includes(value)) fail(`${VARIABLE} must be 0 or 1, got "${value}"`);
  return value === "1";
}

function fail(problem: string, status?: number): never {
  throw new SchemoeError(`Cannot open the engine: ${problem}`, { status });
}
