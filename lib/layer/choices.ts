/** Choices for one pass, by value or by the name of a built-in. @module */
import * as allToAlls from "../alltoall/mod.ts";
import * as compressors from "../compressors/mod.ts";
import { capacitySlices, expertWaves, peerGroups } from "../chunking/mod.ts";
import { checkedSplit, splitKind } from "../chunking/split.ts";
import * as schedulers from "../schedulers/mod.ts";
import type { AllToAll } from "../alltoall/types.ts";
import { type Chunk, SchemoeError } from "../types.ts";
import type { Chunking } from "../chunking/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { limitProblem } from "../native/time_limit.ts";
import { callUser } from "../user_code.ts";
import { didYouMean, quoted } from "../words.ts";
import { type Dispatch, type DispatchChoice, ONCE_A_NODE, pickDispatch } from "./dispatch.ts";

/** Options of `forward` and `backward`. */
export interface PassChoices extends DispatchChoice {
  /** Default `sequential`. */
  readonly scheduler?: Scheduler | string;
  /** Default `linear`. */
  readonly allToAll?: AllToAll | string;
  /**
   * Codec of both exchanges or of each; default `none`. In the backward pass an exchange is named after
   * the forward one whose gradient it carries.
   */
  readonly compressor?: Compressor | string | CompressorPair;
  /**
   * Number of chunks, default 1, or a way to split. A number means capacity slices, cut where codecs lose nothing (at
   * multiples of four rows for zfp), or what the scheduler prefers (`fasterMoE`: groups of peers); in the backward
   * pass it is split as forward was. A dropless pass has no more slices than an expert gets rows. `peerGroups(n)`
   * splits by groups of ranks, `expertWaves(n)` by experts.
   */
  readonly chunks?: number | Chunking;
  /**
   * Whether the run knows how far it is from the lower bound. That is free where tasks take what the cost model
   * says (the simulator; emulated links with paced computation), and then the default. Elsewhere `true` measures
   * each task alone first, in two further runs that call host functions and codecs again; tasks measured once
   * are known to later runs of the same choices.
   */
  readonly bound?: boolean;
  /**
   * How often the pass runs, default 1, at most 1000. The run is that of the median makespan, and knows the
   * others (`run.repeats`); results are the same each time. Host functions and codecs run each time too. An
   * engine that only computes times runs once.
   */
  readonly repeats?: number;
  /**
   * Results are read when they are asked for, until a later pass overwrites them. `true` reads them right after the
   * run and keeps them; `false` gives none.
   */
  readonly results?: boolean;
  /**
   * Seconds after which the run is given up; default 600, in a notebook 60, since a cell that waits cannot be
   * interrupted there.
   */
  readonly timeLimit?: number;
  /**
   * Looks at every number that is computed; the first NaN or infinity ends the run with an error that names task,
   * rank, tensor and element, and the parameter or input that held one before. So does a value that a codec cannot
   * represent. Default false, which costs nothing; true reads each result once more. An engine that only computes
   * times has no numbers.
   */
  readonly checkNumbers?: boolean;
  /** Aborting it ends the run with an error; `interruptSignal()` makes one that Ctrl+C aborts. */
  readonly signal?: AbortSignal;
  /** Name of the run in its timeline; default the choices. */
  readonly name?: string;
}

/** The same with every name looked up. */
export interface ResolvedChoices {
  /** Who orders the tasks. */
  readonly scheduler: Scheduler;
  /** How often a token crosses to a node. */
  readonly dispatch: Dispatch;
  /** How tokens are exchanged. */
  readonly allToAll: AllToAll;
  /** Codec towards the experts (`dispatch`) and back (`combine`). */
  readonly compressor: { readonly dispatch: Compressor; readonly combine: Compressor };
  /** How the pass is split. */
  readonly chunking: Chunking;
}

/** Runs of one pass at most. */
const MOST_REPEATS = 1000;

/** Whether weight gradients are added up in the order of the scheduler. */
export const reassociates = ({ scheduler }: Pick<ResolvedChoices, "scheduler">): boolean =>
  scheduler.reassociate === true;

/** How captions and names call the exchange: by its all-to-all, or by dispatch. */
export const exchangeName = ({ dispatch, allToAll }: ResolvedChoices): string =>
  dispatch === "node" ? ONCE_A_NODE : allToAll.name;

/** How captions and names call the codecs of the two exchanges: one name where they are the same. */
export const codecName = ({ dispatch, combine }: ResolvedChoices["compressor"]): string =>
  dispatch.name === combine.name ? dispatch.name : `${dispatch.name}/${combine.name}`;

/** @throws {SchemoeError} for an unknown name or option, or a value without the functions it needs. */
export function resolveChoices(
  choices: PassChoices,
  others: readonly string[],
): ResolvedChoices {
  const known = [
    "scheduler",
    "allToAll",
    "compressor",
    "chunks",
    "bound",
    "repeats",
    "results",
    "timeLimit",
    "checkNumbers",
    "signal",
    "name",
    "dispatch",
  ];
  if (typeof choices !== "object" || choices === null) {
    throw new SchemoeError(
      `Cannot run the pass: give an object of options, got ${quoted(choices)}`,
    );
  }
  const foreign = Object.keys(choices).find((key) => ![...known, ...others].includes(key));
  if (foreign) {
    throw new SchemoeError(
      `Cannot run the pass: "${foreign}" is not an option (${[...others, ...known].join(", ")})` +
        didYouMean(foreign, [...others, ...known]),
    );
  }
  checkPlain(choices);
  const { signal } = choices;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new SchemoeError(
      `Cannot run the pass: signal must be an AbortSignal, got ${quoted(signal)}`,
    );
  }
  const { compressor = "none", chunks = 1, repeats = 1 } = choices;
  if (!(Number.isInteger(repeats) && repeats >= 1 && repeats <= MOST_REPEATS)) {
    throw new SchemoeError(
      `Cannot run the pass: repeats must be an integer from 1 to ${MOST_REPEATS}, got ${
        quoted(repeats)
      }`,
    );
  }
  const pair: CompressorPair = isPair(compressor)
    ? compressor
    : { dispatch: compressor, combine: compressor };
  const codec = (value: Compressor | string = "none") =>
    checkedCodec(pick("compressor", compressors, value, "wireBytes"));
  const scheduler = pick(
    "scheduler",
    schedulers,
    choices.scheduler === undefined ? "sequential" : choices.scheduler,
    "order",
  );
  if (![undefined, true, false].includes(scheduler.reassociate)) {
    throw new SchemoeError(
      `Cannot use the scheduler "${scheduler.name}": reassociate must be true or false, got ${
        quoted(scheduler.reassociate)
      }`,
    );
  }
  const codecs = { dispatch: codec(pair.dispatch), combine: codec(pair.combine) };
  const dispatch = pickDispatch(choices, codecs);
  return {
    scheduler,
    dispatch,
    allToAll: pick(
      "allToAll",
      allToAlls,
      choices.allToAll === undefined ? "linear" : choices.allToAll,
      "plan",
    ),
    compressor: codecs,
    chunking: typeof chunks === "object"
      ? checkedChunking(chunks, "give a number of chunks, or a value")
      : preferredChunking(scheduler, chunks, heightOf(codecs)),
  };
}

/** Checks fields that every engine takes, also those that it has no use for. */
function checkPlain({ bound, results, checkNumbers, name, timeLimit }: PassChoices): void {
  const fail = (field: string, expected: string, got: unknown): never => {
    throw new SchemoeError(`Cannot run the pass: ${field} must be ${expected}, got ${quoted(got)}`);
  };
  for (const [field, value] of Object.entries({ bound, results, checkNumbers })) {
    if (value !== undefined && typeof value !== "boolean") fail(field, "true or false", value);
  }
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    fail("name", "a text that is not empty", name);
  }
  if (timeLimit !== undefined && typeof timeLimit !== "number") {
    fail("timeLimit", "a number of seconds", timeLimit);
  }
  const problem = timeLimit === undefined ? undefined : limitProblem(timeLimit);
  if (problem !== undefined) throw new SchemoeError(`Cannot run the pass: ${problem}`);
}

function checkedChunking(chunking: Chunking, needed: string): Chunking {
  if (typeof chunking?.split === "function") return chunking;
  throw new SchemoeError(`Cannot split the pass: ${needed} with a function "split"`);
}

/** Rows at multiples of which both codecs may be cut without a difference: those of the taller one. */
const heightOf = ({ dispatch, combine }: ResolvedChoices["compressor"]): number =>
  Math.max(dispatch.height ?? 1, combine.height ?? 1);

/** The chunking that a scheduler prefers for a number of chunks. */
function preferredChunking(scheduler: Scheduler, chunks: number, height: number): Chunking {
  const whose = `the scheduler "${scheduler.name}"`;
  const preferred = callUser(whose, "chunking", () => scheduler.chunking?.(chunks));
  if (preferred === undefined) return capacitySlices(chunks, height);
  return checkedChunking(preferred, `the chunking of ${whose} must give a value`);
}

/** Choices of a backward pass: where only a number of chunks is given, it is split as forward was. */
export function splitLike(
  forward: readonly Chunk[],
  resolved: ResolvedChoices,
  { chunks = 1, ...at }: { chunks?: number | Chunking } & Parameters<Chunking["split"]>[0],
): ResolvedChoices {
  if (typeof chunks === "object") return resolved;
  const kind = splitKind(forward);
  if (splitKind(checkedSplit(resolved.chunking, at)) === kind) return resolved;
  const like = {
    capacity: () => capacitySlices(chunks, heightOf(resolved.compressor)),
    peers: () => peerGroups(chunks),
    experts: () => expertWaves(chunks),
  };
  return { ...resolved, chunking: like[kind]() };
}

/** Names of the built-in values of a module that have a function `method`. */
export function builtIns(module: object, method: string): string[] {
  return Object.entries(module).filter(([, value]) => typeof value?.[method] === "function").map((
    [name],
  ) => name);
}

/** Names of all built-in schedulers, all-to-alls and compressors. */
export const BUILT_IN: Readonly<
  Record<"scheduler" | "allToAll" | "compressor", readonly string[]>
> = {
  scheduler: builtIns(schedulers, "order"),
  allToAll: builtIns(allToAlls, "plan"),
  compressor: builtIns(compressors, "wireBytes"),
};

function pick<T extends object>(
  what: string,
  module: object,
  value: T | string,
  method: string,
): T {
  if (typeof value !== "string") {
    if (typeof (value as Record<string, unknown>)?.[method] !== "function") {
      // a function's text would be its whole source
      const got = typeof value === "function" ? "a function; call it, if it makes one" : value;
      throw new SchemoeError(
        `Cannot use the ${what}: a value with a function "${method}" is needed, got ${got}`,
      );
    }
    const { name } = value as { name?: unknown };
    if (typeof name === "string" && name !== "") return value;
    throw new SchemoeError(
      `Cannot use the ${what}: it must have a name, by which runs are told apart, got ${
        quoted(name)
      }`,
    );
  }
  const found = Object.hasOwn(module, value) ? (module as Record<string, T>)[value] : undefined;
  if (typeof (found as Record<string, unknown> | undefined)?.[method] === "function") return found!;
  const names = builtIns(module, method);
  throw new SchemoeError(
    `Unknown ${what} "${value}": choose one of ${names.join(", ")}, or give a value of your own` +
      didYouMean(value, names),
  );
}

/** A codec for each exchange; default of each `none`. */
export interface CompressorPair {
  /** Codec towards the experts; default none. */
  readonly dispatch?: Compressor | string;
  /** Codec on the way back; default none. */
  readonly combine?: Compressor | string;
}

function isPair(value: Compressor | CompressorPair | string): value is CompressorPair {
  if (typeof value !== "object" || value === null || "wireBytes" in value) return false;
  const foreign = Object.keys(value).find((key) => key !== "dispatch" && key !== "combine");
  if (foreign === undefined) return true;
  throw new SchemoeError(
    `Cannot use the compressor: "${foreign}" is not an exchange (dispatch, combine)`,
  );
}

function checkedCodec(codec: Compressor): Compressor {
  if (codec.native ?? codec.kernels ?? (codec.encode && codec.decode)) return codec;
  throw new SchemoeError(
    `Cannot use the compressor "${codec.name}": it has no functions encode and decode`,
  );
}
