/** Traffic matrices: from loads, and from the files of nccl-tests. @module */
import { quoted } from "../words.ts";
import {
  aCount,
  aNumber,
  anything,
  atLeastZero,
  expect,
  maybe,
  numbersOf,
  options,
  someLoads,
} from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import type { TrafficMatrix } from "../alltoall/types.ts";
import { cannotRead, linesOf, parseNumbers, type TextSource } from "./numbers.ts";

const TRAFFIC_OF_LOADS_OPTIONS = options({ expert: maybe(aCount) });
const GRAVITY_TRAFFIC_SUMS = options({
  sent: numbersOf(aNumber),
  received: numbersOf(aNumber),
  bytesPerToken: aNumber,
  expert: maybe(aCount),
});
const WAVES_OF_LOADS_OPTIONS = options({ waves: anything, bytesPerToken: atLeastZero });

/**
 * Bytes from rank to rank when experts lie on the ranks in equal runs, in order.
 *
 * @param bytesPerToken such as 2 modelDim in bfloat16.
 * @param options.expert neighbouring ranks that hold all experts together, as `parallel.expert`; default all ranks.
 * @throws {SchemoeError} when such groups do not divide the ranks, or their ranks the experts.
 */
export function trafficOfLoads(
  of: Loads,
  bytesPerToken: number,
  options: { readonly expert?: number } = {},
): TrafficMatrix {
  expect("trafficOfLoads", "of", of, someLoads);
  expect("trafficOfLoads", "bytesPerToken", bytesPerToken, atLeastZero);
  expect("trafficOfLoads", "options", options, TRAFFIC_OF_LOADS_OPTIONS);
  const { ranks, experts, table } = of;
  const { expert = ranks } = options;
  checkGroup(ranks, expert);
  if (experts % expert) {
    throw new SchemoeError(
      `Cannot make the traffic matrix: ${expert} ranks do not divide ${experts} experts`,
    );
  }
  const each = experts / expert;
  return {
    ranks,
    bytes(source, destination) {
      if (Math.floor(source / expert) !== Math.floor(destination / expert)) return 0;
      let tokens = 0;
      const first = source * experts + (destination % expert) * each;
      for (let e = first; e < first + each; e++) tokens += table[e];
      return tokens * bytesPerToken;
    },
  };
}

function checkGroup(ranks: number, expert: number): void {
  if (Number.isInteger(expert) && expert >= 1 && ranks % expert === 0) return;
  throw new SchemoeError(
    `Cannot make the traffic matrix: expert is ${expert}, a divisor of the ${ranks} ranks is needed`,
  );
}

/** What each rank sends and gets. */
export interface RankSums {
  /** Tokens that each rank sends, itself included. */
  readonly sent: ArrayLike<number>;
  /** How much each rank gets, in proportion: tokens, or any weights. */
  readonly received: ArrayLike<number>;
  /** Bytes of a token on the way. */
  readonly bytesPerToken: number;
  /** Neighbouring ranks that exchange with each other; default all. */
  readonly expert?: number;
}

/**
 * Bytes from rank to rank where only the sums of each rank are known: whole tokens in proportion to what the
 * destinations get (the gravity model of traffic matrices). Each rank sends exactly its tokens; two numbers a rank
 * are kept, so that worlds of thousands of ranks fit.
 *
 * ```ts
 * import { gravityTraffic } from "@schemoe/lab/routing";
 * const traffic = gravityTraffic({ sent: [6, 6], received: [2, 1], bytesPerToken: 10 });
 * console.assert(traffic.bytes(0, 0) === 40 && traffic.bytes(0, 1) === 20);
 * ```
 * @throws {SchemoeError} for sums of different numbers of ranks, a sum that is no number of at least 0, a rank that
 * sends a fraction of a token, tokens for groups of ranks that get nothing, and groups that do not divide the ranks.
 */
export function gravityTraffic(sums: RankSums): TrafficMatrix {
  expect("gravityTraffic", "sums", sums, GRAVITY_TRAFFIC_SUMS);
  const { sent, received, bytesPerToken, expert = sent.length } = sums;
  const ranks = sent.length;
  if (received.length !== ranks || ranks === 0) {
    throw new SchemoeError(
      `Cannot make the traffic matrix: ${ranks} ranks send and ${received.length} get something`,
    );
  }
  checkGroup(ranks, expert);
  // of each rank what all before it in its group get
  const before = new Float64Array(ranks + 1);
  for (let rank = 0; rank < ranks; rank++) {
    for (const [verb, value] of [["sends", sent[rank]], ["gets", received[rank]]] as const) {
      if (value >= 0 && value < Infinity && (verb === "gets" || Number.isInteger(value))) continue;
      throw new SchemoeError(
        `Cannot make the traffic matrix: rank ${rank} ${verb} ${value}, ` +
          (verb === "sends"
            ? "a whole number of tokens is needed"
            : "a number of at least 0 is needed"),
        { rank },
      );
    }
    before[rank + 1] = before[rank] + received[rank];
  }
  for (let rank = 0; rank < ranks; rank++) {
    const first = rank - rank % expert;
    if (sent[rank] === 0 || before[first + expert] > before[first]) continue;
    throw new SchemoeError(
      `Cannot make the traffic matrix: rank ${rank} sends ${
        sent[rank]
      } tokens, and no rank of its group gets any`,
      { rank },
    );
  }
  return {
    ranks,
    bytes(source, destination) {
      const first = source - source % expert;
      if (destination < first || destination >= first + expert || sent[source] === 0) return 0;
      const [low, high] = [before[first], before[first + expert]];
      // remainders fall elsewhere for each source
      const turn = (source * TURN) % 1;
      const at = (rank: number) =>
        rank === first + expert
          ? sent[source] + Math.floor(turn)
          : Math.floor(sent[source] * ((before[rank] - low) / (high - low)) + turn);
      return (at(destination + 1) - at(destination)) * bytesPerToken;
    },
  };
}

/** Part of a token from one source to the next (golden ratio). */
const TURN = (Math.sqrt(5) - 1) / 2;

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
  of: Loads,
  options: { readonly waves: number; readonly bytesPerToken: number },
): TrafficMatrix[] {
  expect("wavesOfLoads", "of", of, someLoads);
  expect("wavesOfLoads", "options", options, WAVES_OF_LOADS_OPTIONS);
  const { ranks, experts, table } = of;
  const { waves, bytesPerToken } = options;
  const each = experts / ranks;
  if (!(Number.isInteger(each) && Number.isInteger(waves) && waves >= 1 && waves <= each)) {
    throw new SchemoeError(
      `Cannot make waves: ${
        quoted(waves)
      } of the ${each} experts of a rank; give an integer from 1 to those, on ranks that ` +
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
 * @param options.scale bytes of a factor of 1, a positive number.
 * @throws {SchemoeError} naming the line and value that are wrong.
 */
export function parseTrafficMatrix(
  text: string,
  { scale = 1, ...source }: TextSource & { readonly scale?: number } = {},
): TrafficMatrix {
  const fail = (problem: string): never => {
    throw new SchemoeError(`${cannotRead("the traffic matrix", source)}: ${problem}`);
  };
  if (!(scale > 0 && scale < Infinity)) {
    fail(`scale must be a positive number, got ${quoted(scale)}`);
  }
  const rows = parseNumbers(linesOf(text), "the traffic matrix", source);
  const ranks = rows.length;
  const odd = rows.find(({ values }) => values.length !== ranks);
  if (odd) {
    fail(`line ${odd.line} has ${odd.values.length} numbers, there are ${ranks} lines`);
  }
  for (const { line, values } of rows) {
    const large = values.findIndex((v) => v * scale > Number.MAX_SAFE_INTEGER);
    if (large < 0) continue;
    fail(
      `line ${line} has ${values[large]} in place ${
        large + 1
      }, more bytes than 2^53 with scale ${scale}`,
    );
  }
  const table = Float64Array.from(
    rows.flatMap(({ values }) => values.map((v) => Math.round(v * scale))),
  );
  return { ranks, bytes: (source, destination) => table[source * ranks + destination] };
}
