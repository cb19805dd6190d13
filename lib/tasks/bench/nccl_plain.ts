/** The plain loop of sends and receives, a program of its own. @module */
import { libraryPath, openLibrary } from "../../native/library.ts";
import { findNccl } from "../../native/nccl.ts";
import { SchemoeError } from "../../types.ts";
import { type Cluster, sharesGpus } from "./options.ts";
import { quiet } from "../build/command.ts";

/** Blocks of a communicator on a GPU, as the engine has: where ranks share it, and elsewhere NCCL's choice. */
const MAX_CTAS = { shared: 2, own: 0 };

/** Median seconds of one exchange of each size. */
export async function plainLoop(cluster: Cluster, sizes: readonly number[]): Promise<number[]> {
  const library = libraryPath("cuda");
  const program = `${library.slice(0, library.lastIndexOf("/"))}/test/cuda/nccl_plain`;
  const { nodes, ranksPerNode, emulateNodes, devices } = cluster;
  const blocks = cluster.maxCTAs ?? (sharesGpus(cluster) ? MAX_CTAS.shared : MAX_CTAS.own);
  const output = await quiet([
    program,
    findNccl(openLibrary(library)).path,
    ...[nodes, ranksPerNode, Number(emulateNodes), blocks, devices.join(), ...sizes].map(String),
  ]);
  return parsePlain(output, sizes);
}

/**
 * Seconds by size from lines such as `{"bytes":4096,"ms":0.081}`.
 * @throws {SchemoeError} naming the size that is missing.
 */
export function parsePlain(output: string, sizes: readonly number[]): number[] {
  const lines = output.trim().split("\n").filter((line) => line.startsWith("{")).map((line) =>
    JSON.parse(line) as { bytes: number; ms: number }
  );
  return sizes.map((size) => {
    const found = lines.find(({ bytes }) => bytes === size);
    if (found && found.ms > 0) return found.ms / 1e3;
    throw new SchemoeError(
      `Cannot compare with the plain loop: it gave no time for ${size} bytes\n${output}`,
    );
  });
}
