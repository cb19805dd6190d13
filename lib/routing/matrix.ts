/** Traffic matrices: from loads, and from the files of nccl-tests. @module */
import { type Loads, SchemoeError } from "../types.ts";
import type { TrafficMatrix } from "../alltoall/types.ts";
import { parseNumbers } from "./numbers.ts";

/**
 * Bytes from rank to rank when experts lie on the ranks in equal runs, in order.
 *
 * @param bytesPerToken such as 2 modelDim in bfloat16.
 * @throws {SchemoeError} when the ranks do not divide the experts.
 */
export function trafficOfLoads(loads: Loads, bytesPerToken: number): TrafficMatrix {
  const { ranks, experts, table } = loads;
  if (experts % ranks) {
    throw new SchemoeError(
      `Cannot make the traffic matrix: ${ranks} ranks do not divide ${experts} experts`,
    );
  }
  const each = experts / ranks;
  return {
    ranks,
    bytes(source, destination) {
      let tokens = 0;
      const first = source * experts + destination * each;
      for (let e = first; e < first + each; e++) tokens += table[e];
      return tokens * bytesPerToken;
    },
  };
}

/**
 * The same, one matrix for each wave: of the experts of each rank the first ones, then others, in equal runs that
 * differ by one at most (expert waves of DeepSeek-V4, arXiv 2606.19348, section 3.1).
 *
 * ```ts
 * import { loadsOf, uniformRouting, wavesOfLoads } from "@schemoe/lab/routing";
 * const loads = loadsOf(uniformRouting({ ranks: 2, tokens: 64, experts: 8 }));
 * const [first, second] = wavesOfLoads(loads, { waves: 2, bytesPerToken: 1 });
 * console.assert(first.bytes(0, 0) + first.bytes(0, 1) + second.bytes(0, 0) + second.bytes(0, 1) === 64);
 * ```
 * @throws {SchemoeError} when the ranks do not divide the experts, or there are more waves than experts of a rank.
 */
export function wavesOfLoads(
  { ranks, experts, table }: Loads,
  { waves, bytesPerToken }: { readonly waves: number; readonly bytesPerToken: number },
): TrafficMatrix[] {
  const each = experts / ranks;
  if (!(Number.isInteger(each) && Number.isInteger(waves) && waves >= 1 && waves <= each)) {
    throw new SchemoeError(
      `Cannot make waves: ${waves} of the ${each} experts of a rank; give an integer from 1 to those, on ranks that ` +
        "divide the experts",
    );
  }
  return Array.from({ length: waves }, (_, wave): TrafficMatrix => {
    const [begin, end] = [wave, wave + 1].map((at) => Math.floor(at * each / waves));
    return {
      ranks,
      bytes(source, destination) {
        let tokens = 0;
        const first = source * experts + destination * each;
        for (let e = first + begin; e < first + end; e++) tokens += table[e];
        return tokens * bytesPerToken;
      },
    };
  });
}

/**
 * A matrix file as nccl-tests' alltoallv takes it: a line for each sender, a factor from 0 to 1 for each
 * receiver, by which a largest size is multiplied. Bytes instead of factors are read alike, with `scale` 1.
 *
 * ```ts
 * import { parseTrafficMatrix } from "@schemoe/lab/routing";
 * const traffic = parseTrafficMatrix("0,1\n0.5,0\n", { scale: 1 << 20 });
 * console.assert(traffic.bytes(1, 0) === 1 << 19);
 * ```
 * @param options.scale bytes of a factor of 1.
 * @throws {SchemoeError} naming the line that is wrong.
 */
export function parseTrafficMatrix(
  text: string,
  { scale = 1 }: { readonly scale?: number } = {},
): TrafficMatrix {
  const rows = parseNumbers(text, "the traffic matrix");
  const ranks = rows.length;
  const odd = rows.find(({ values }) => values.length !== ranks);
  if (odd) {
    throw new SchemoeError(
      `Cannot read the traffic matrix: line ${odd.line} has ${odd.values.length} numbers, there are ${ranks} lines`,
    );
  }
  const table = Float64Array.from(
    rows.flatMap(({ values }) => values.map((v) => Math.round(v * scale))),
  );
  return { ranks, bytes: (source, destination) => table[source * ranks + destination] };
}
