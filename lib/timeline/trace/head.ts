/**
 * What a trace of another program says beside its events: ranks, and when its times begin.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { fieldsOf, numberOf, shown } from "./fields.ts";
import type { TraceText } from "./json.ts";
import { parseLoose } from "./loose_json.ts";

/** Head of one file. */
export interface TraceHead {
  /** Ranks that `distributedInfo` names: one, or one for each file that was merged into this. */
  readonly ranks: readonly number[];
  readonly worldSize: number | undefined;
  /** Nanoseconds from 1970 at which its times begin; undefined where the trace does not say. */
  readonly base: bigint | undefined;
}

/** @throws {SchemoeError} naming the file, and the field that cannot be used with its value. */
export function traceHead({ head }: TraceText, file: string): TraceHead {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot import the trace ${file}: ${problem}`);
  };
  const parsed = (field: string) =>
    (head.get(field) ?? []).flatMap((text) => {
      try {
        return parseLoose(text);
      } catch {
        return fail(`its "${field}" is not JSON: ${text.slice(0, 60)}`);
      }
    });
  const infos = parsed("distributedInfo").map(fieldsOf);
  const ranks = infos.map(({ rank }) => rank).filter((rank) => rank !== undefined && rank !== null)
    .map((rank) => {
      const number = numberOf(rank);
      if (Number.isInteger(number) && number >= 0 && number < 2 ** 31) return number;
      return fail(`its "distributedInfo" has rank ${shown(rank)}, not an integer of at least 0`);
    });
  const worlds = infos.map(({ world_size }) => numberOf(world_size)).filter(Number.isInteger);
  const texts = head.get("baseTimeNanoseconds") ?? viztracerBase(parsed("viztracer_metadata"));
  const bases = new Set(
    texts.filter((text) => text !== "null").map((text) => baseTime(text, fail)),
  );
  if (bases.size > 1) fail(`it has ${bases.size} different "baseTimeNanoseconds"`);
  return { ranks, worldSize: worlds[0], base: [...bases][0] };
}

const viztracerBase = (metadata: readonly unknown[]): string[] =>
  metadata.map((one) => fieldsOf(one).baseTimeNanoseconds)
    .filter((base) => base !== undefined).map((base) => JSON.stringify(base));

/**
 * Nanoseconds as an integer, from the digits in the file: a double has no room for nanoseconds since
 * 1970, so that 1735632360000500000, with `.0`, as `1.7356323600005e18` and as text are read exactly.
 */
function baseTime(text: string, fail: (problem: string) => never): bigint {
  const digits = /^"?\s*([-+]?)(\d{1,40})(?:\.(\d{0,40}))?(?:e([-+]?\d{1,3}))?\s*"?$/i.exec(text);
  const wrong = () => fail(`its "baseTimeNanoseconds" is ${text.slice(0, 60)}, not nanoseconds`);
  if (!digits) return wrong();
  const [, sign, whole, fraction = "", exponent = "0"] = digits;
  const shift = Number(exponent) - fraction.length;
  if (shift > 40) return wrong();
  const value = BigInt(whole + fraction);
  // Parts of a nanosecond are dropped.
  const exact = shift >= 0 ? value * 10n ** BigInt(shift) : value / 10n ** BigInt(-shift);
  // Beyond the year 2262, or damaged.
  if (exact >= 2n ** 63n) return wrong();
  return sign === "-" ? -exact : exact;
}
