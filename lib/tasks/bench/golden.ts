/** Reference cases under schedulers and all-to-alls, on any engine: errors, and whether all bits are the same. @module */
import {
  type GoldenCase,
  goldenErrors,
  parseGolden,
  repeatRanks,
  runGolden,
} from "../../studies/golden.ts";
import { capacitySlices } from "../../chunking/mod.ts";
import { withIdleExperts } from "../../studies/idle_experts.ts";
import type { Engine } from "../../engine.ts";
import { SchemoeError } from "../../types.ts";
import type { Row } from "./report.ts";
import { root } from "../build/command.ts";
import { goldenDigest } from "../verify/golden_digest.ts";
import { withoutPadding } from "./without_padding.ts";

const FOLDER = `${root}/test/golden`;
/** Largest relative error that passes. */
const TOLERANCE = 1e-5;
/** Seconds a pass may take. */
const TIME_LIMIT = 30;
const CHUNKS = 2;

/** A scheduler and an all-to-all. */
export type Pair = readonly [scheduler: string, allToAll: string];

/** All pairs, in an order of which any beginning has about as many of each. */
export function pairs(schedulers: readonly string[], allToAlls: readonly string[]): Pair[] {
  return schedulers.flatMap((_, shift) =>
    allToAlls.map((allToAll, i) => [schedulers[(i + shift) % schedulers.length], allToAll] as const)
  );
}

/** Cases on so many ranks. */
export interface CasesOn {
  readonly cases: readonly GoldenCase[];
  /** Names of those whose number of ranks does not divide it, so that their ranks cannot be repeated. */
  readonly leftOut: readonly string[];
}

/**
 * All cases on that many ranks: their own again and again, and where experts are fewer than ranks, with
 * others that no token chooses. The one that drops no token comes twice, padded and not.
 *
 * @throws {SchemoeError} where there is no case for so many.
 */
export function goldenOn(ranks: number): CasesOn {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".safetensors")).toSorted();
  const leftOut: string[] = [];
  const cases = names.flatMap((name) => {
    const found = parseGolden(Deno.readFileSync(`${FOLDER}/${name}`), name);
    if (ranks % found.ranks !== 0) {
      leftOut.push(found.name);
      return [];
    }
    const wide = withIdleExperts(found, Math.max(found.config.experts, ranks));
    const golden = repeatRanks(wide, ranks);
    if (golden.config.routing?.capacityFactor !== 0) return [golden];
    return [golden, { ...withoutPadding(golden), name: `${golden.name}, not padded` }];
  });
  if (cases.length > 0) return { cases, leftOut };
  throw new SchemoeError(`No reference case is for a number of ranks that divides ${ranks}`);
}

/** Runs of one case. */
export interface GoldenCount {
  readonly golden: GoldenCase;
  runs: number;
  passed: number;
  largestError: number;
  /** Hashes of all results. */
  readonly bits: Set<string>;
  failure?: string;
}

/**
 * Runs each case under each pair, all cases under one before the next.
 *
 * @param options.until by `performance.now()`: no pair is begun later.
 */
export async function tryGolden(
  engine: Engine,
  cases: readonly GoldenCase[],
  { among, until = Infinity }: { readonly among: readonly Pair[]; readonly until?: number },
): Promise<GoldenCount[]> {
  const counts = cases.map((golden): GoldenCount => ({
    golden,
    runs: 0,
    passed: 0,
    largestError: 0,
    bits: new Set(),
  }));
  for (const [scheduler, allToAll] of among) {
    if (performance.now() > until) break;
    for (const count of counts) {
      count.runs++;
      try {
        // One chunking for all schedulers, whatever each prefers, so that all give the same bits.
        const chunks = capacitySlices(CHUNKS);
        const choices = { scheduler, allToAll, chunks, timeLimit: TIME_LIMIT };
        const results = await runGolden(engine, count.golden, choices);
        const error = Math.max(...Object.values(goldenErrors(count.golden, results)));
        count.largestError = Math.max(count.largestError, error);
        if (error <= TOLERANCE) count.passed++;
        count.bits.add(await goldenDigest(results));
      } catch (error) {
        count.failure ??= `${scheduler}, ${allToAll}: ${(error as Error).message}`;
      }
    }
  }
  return counts;
}

/** What a report says of a count; `like` has the bits that are expected. */
export function goldenRow({ golden, ...count }: GoldenCount, like?: GoldenCount): Row {
  const { runs, passed, largestError, bits, failure } = count;
  const { experts } = golden.config;
  return {
    case: golden.name,
    ranks: golden.ranks,
    experts,
    chunks: CHUNKS,
    runs,
    passed,
    largestError: largestError.toExponential(1),
    bits: [...bits].join(" "),
    sameBits: bits.size === 1 && (like === undefined || like.bits.isSupersetOf(bits)),
    ...(failure === undefined ? {} : { failure }),
  };
}
