/** The fit of processors that lanes share. @module */
import type { EventTable } from "../engine.ts";
import { median, type ProcessorsFit } from "../profile/mod.ts";
import type { CrowdRuns } from "./crowds.ts";

/** Crowds that get less than this part of what their lanes would get alone share processors. */
const CROWDED = 0.9;
/** A lane that begins later than this part of a long product waited for its turn. */
const LATE = 0.02;
/** All-to-alls that a crowd holds up by less than this part of a turn each go before it. */
const FIRST = 0.25;
/** The first of long products that ends before this part of the time of all was not run beside all the others. */
const IN_A_QUEUE = 0.6;
/** All-to-alls that a crowd holds up by more than this part of a product each wait for these. */
const HELD = 0.5;
/** Least part of a processor that a transfer is believed to need, which must be more than none. */
const NARROWEST = 1 / 64;
const SECONDS = 1e-9;

/** What is known beforehand. */
export interface Lanes {
  /** Where lanes are threads, which take turns: on how many processors. */
  readonly threads?: number;
  /** Transfers are paced, so that they need no processor while they last. */
  readonly paced: boolean;
}

/**
 * Processors by the products that crowds get done in a time, in those of one lane alone; how many lanes run at once and
 * for how long, by when the lanes of long products begin; whether transfers go first, by how long a crowd holds them up.
 * Undefined where every lane has a processor of its own.
 */
export function processorsOf(
  measured: readonly CrowdRuns[],
  { threads, paced }: Lanes,
): ProcessorsFit | undefined {
  const short = measured.filter(({ crowd }) => crowd.products > 1 && crowd.exchanges === 0);
  const [alone] = short;
  if (!alone) return undefined;
  const rates = short.map((one) => ({
    lanes: one.crowd.lanes,
    rate: one.crowd.lanes * secondsOf(alone) / secondsOf(one),
  }));
  const crowded = rates.filter(({ lanes, rate }) => rate < CROWDED * lanes);
  if (crowded.length === 0) return undefined;
  const capacity = Math.max(1, ...crowded.map(({ rate }) => rate));
  // none of these waits for another one: what slows them down is what processors share, such as a core or memory
  if (threads !== undefined && threads >= Math.max(...rates.map(({ lanes }) => lanes))) {
    return { capacity };
  }
  const long = measured.find(({ crowd }) => crowd.products === 1)!;
  const begun = long.runs.map((events) => begunOf(long.crowd.lanes, events));
  const length = secondsOf(long) / Math.max(1, long.crowd.lanes / capacity);
  // threads may wait for the same processor though another one is idle, until they are moved
  const atOnce = Math.max(...begun.map((times) => times.filter((at) => at < LATE * length).length));
  const { lanes } = long.crowd;
  if (threads === undefined) {
    const found = queueOf(measured, { long, paced });
    if (found || atOnce === lanes) {
      return {
        capacity,
        ...(found ? { turns: found } : {}),
        ...(found?.transfers
          ? { transferWidth: transferWidthOf(measured, Math.min(capacity, found.count)) }
          : {}),
      };
    }
  }
  const count = atOnce < lanes ? Math.min(atOnce, threads ?? atOnce) : threads!;
  const waits = begun.flatMap((times) => times.slice(count).map((at, i) => at - times[i]))
    .filter((wait) => wait >= LATE * length);
  // a slice is no shorter than what nobody gave its processor up in
  const slice = waits.length > 0 ? median(waits) : length;
  const transfers = paced
    ? {}
    : { transfers: heldUp(measured) < FIRST * slice ? "first" : "inTurn" } as const;
  return { capacity: Math.min(capacity, count), turns: { count, slice, ...transfers } };
}

/** Long products that end one after another are kernels in a queue. */
function queueOf(
  measured: readonly CrowdRuns[],
  { long, paced }: { readonly long: CrowdRuns; readonly paced: boolean },
): ProcessorsFit["turns"] {
  const { lanes } = long.crowd;
  const first = median(
    long.runs.map(({ rank, end }) =>
      Math.min(...Array.from(end).filter((_, i) => rank[i] < lanes))
    ),
  ) * SECONDS;
  const atOnce = lanes * first / secondsOf(long);
  if (atOnce > IN_A_QUEUE * lanes) return undefined;
  const [short] = measured;
  const held = !paced && heldUp(measured) > HELD * secondsOf(short) / short.crowd.products;
  return { count: Math.max(1, Math.round(atOnce)), ...(held ? { transfers: "inTurn" } : {}) };
}

/**
 * Part of a processor that a transfer takes from the products of a queue: the time by which all-to-alls beside them delay
 * their end, over what the transfers of all ranks take. At most an even part of the processors, since they were
 * measured while those of all ranks ran. All-to-alls alone do not tell it: together they leave each other room until their
 * parts add up to more than there is.
 */
function transferWidthOf(measured: readonly CrowdRuns[], processors: number): number {
  const find = (test: (crowd: CrowdRuns["crowd"]) => boolean) =>
    measured.find(({ crowd }) => test(crowd))!;
  const beside = find(({ products, exchanges }) => products > 0 && exchanges > 0);
  const exchanges = find(({ products }) => products === 0);
  const alone = find(({ lanes, products, exchanges }) =>
    lanes === beside.crowd.lanes && products > 1 && exchanges === 0
  );
  const lost = lastingOf(beside) - gapsOf(beside) * lastingOf(alone) / gapsOf(alone);
  const widest = Math.min(1, processors / beside.crowd.lanes);
  return Math.min(widest, Math.max(NARROWEST, lost * processors / transferSeconds(exchanges)));
}

/** From the end of the first product to that of the last one, and how many end in it: what comes before is no queue yet. */
const lastingOf = ({ crowd: { program }, runs }: CrowdRuns): number =>
  SECONDS * median(runs.map(({ position, end }) => {
    const ends = end.filter((_, i) => !program.order[position[i]].transfers && end[i] > 0);
    return ends.reduce((a, b) => Math.max(a, b)) - ends.reduce((a, b) => Math.min(a, b));
  }));
const gapsOf = ({ crowd: { lanes, products } }: CrowdRuns): number => lanes * products - 1;

/** What the transfers of all ranks of a crowd take together, their waits for each other apart. */
const transferSeconds = ({ runs }: CrowdRuns): number =>
  SECONDS *
  median(runs.map(({ start, end, wait }) =>
    end.reduce((sum, time, i) => sum + time - start[i] - wait[i], 0)
  ));

const secondsOf = ({ runs }: CrowdRuns): number => median(runs.map(spanOf));
const spanOf = ({ end }: EventTable): number =>
  SECONDS * end.reduce((most, time) => Math.max(most, time), 0);

/** When the lanes of a crowd began, in seconds, the first one first. */
const begunOf = (lanes: number, { rank, start }: EventTable): number[] =>
  Array.from(start).filter((_, i) => rank[i] < lanes).toSorted((a, b) => a - b)
    .map((time) => time * SECONDS);

/** Seconds by which a crowd holds up each of the all-to-alls beside it. */
function heldUp(measured: readonly CrowdRuns[]): number {
  const [alone, beside] = measured.filter(({ crowd }) => crowd.exchanges > 0);
  const ends = ({ crowd: { program, exchanges }, runs }: CrowdRuns) =>
    median(
      runs.map(({ position, end }) =>
        Array.from(end).reduce(
          (most, time, i) => program.order[position[i]].transfers ? Math.max(most, time) : most,
          0,
        )
      ),
    ) * SECONDS / exchanges;
  return ends(beside) - ends(alone);
}
