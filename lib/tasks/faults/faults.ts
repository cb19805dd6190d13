/** Brings faults about: which error follows and how soon, and that an engine then gives the same bits. @module */
import { topK } from "../../blocks/mod.ts";
import { createLayer, type PassChoices } from "../../layer/mod.ts";
import type { Engine } from "../../engine.ts";
import { SchemoeError } from "../../types.ts";
import { bits } from "../bench/orders.ts";
import { hundredths, type Row } from "../bench/report.ts";

/** A fault. */
export interface Fault {
  readonly did: string;
  /** Seconds in which it must be known. */
  readonly limit: number;
  /** What the error must say, with the culprit's name in it. */
  readonly says: RegExp;
  /** Brings it about and calls `begin` as it happens; rejects with the error. */
  readonly cause: (begin: () => void) => Promise<unknown>;
  /** What computes after it. */
  readonly after: string;
  /** The bits of the layer, computed by that. */
  readonly works: () => Promise<string>;
  /** Ends remaining processes. */
  readonly end?: () => Promise<void>;
}

/** Name of the compared bits. */
const FAULT_LAYER = { tokens: 64, modelDim: 32, hiddenDim: 48, topK: 2 } as const;
const CHOICES = { scheduler: "optSche", allToAll: "pipe", chunks: 2, bound: false } as const;
/** Seconds that no fault may come near. */
const LONG = 120;

/** What all rows of a report on faults share. */
export const FAULT_TEXT: Row = {
  ...FAULT_LAYER,
  scheduler: CHOICES.scheduler,
  allToAll: CHOICES.allToAll,
  chunks: CHOICES.chunks,
  seconds: "from the fault to the error",
  sameBits: "of what computes after it, with those of one process without NCCL",
};

/** Seconds after which something is given up that should have been over by itself. */
const WATCHDOG = 60;

/**
 * A row for each fault.
 *
 * @param note is told each row at once.
 */
export async function tryFaults(
  faults: Readonly<Record<string, Fault>>,
  expected: string,
  note: (text: string) => void = () => {},
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, fault] of Object.entries(faults)) {
    const row = { fault: name, ...await tryFault(fault, expected) };
    note(JSON.stringify(row));
    rows.push(row);
  }
  return rows;
}

async function tryFault(fault: Fault, expected: string): Promise<Row> {
  const { did, limit, says, after } = fault;
  let began = performance.now();
  let [error, seconds] = ["none", limit];
  try {
    await within(WATCHDOG, fault.cause(() => began = performance.now()));
  } catch (thrown) {
    seconds = (performance.now() - began) / 1000;
    error = (thrown as Error).message;
  }
  const named = says.test(error) && seconds <= limit;
  const row = { did, error, seconds: hundredths(seconds), limitSeconds: limit, named, after };
  try {
    return { ...row, sameBits: await within(WATCHDOG, fault.works()) === expected };
  } catch (thrown) {
    return { ...row, sameBits: false, failure: (thrown as Error).message };
  } finally {
    await fault.end?.();
  }
}

/** Rejects when that takes longer, whatever becomes of it. */
async function within<T>(seconds: number, working: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new SchemoeError(`It is not over after ${seconds} s`)),
    1000 * seconds,
  );
  try {
    return await Promise.race([working, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The bits of all that a layer gives, forward and backward. */
export async function layerBits(
  engine: Engine,
  options: Partial<PassChoices> = {},
): Promise<string> {
  const { topK: k, ...sizes } = FAULT_LAYER;
  const config = { ...sizes, experts: engine.topology.ranks, gate: topK({ k }) };
  const layer = createLayer(engine, config);
  const choices = { ...CHOICES, timeLimit: LONG, ...options };
  return bits(await layer.forward(choices)) + bits(await layer.backward(choices));
}

/** The same of an engine that is closed then. */
export async function bitsOf(opening: Engine | Promise<Engine>): Promise<string> {
  using engine = await opening;
  return await layerBits(engine);
}
