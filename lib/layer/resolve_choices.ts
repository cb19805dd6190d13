/** The choices for a pass, checked, with every name looked up. @module */
import { checkFields } from "../arguments/mod.ts";
import { checkSignal } from "./check_signal.ts";
import * as allToAlls from "../alltoall/mod.ts";
import * as compressors from "../compressors/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import { limitProblem } from "../native/time_limit.ts";
import * as schedulers from "../schedulers/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { pick } from "./built_in.ts";
import type { CompressorPair, PassChoices, ResolvedChoices } from "./choices.ts";
import { pickDispatch } from "./dispatch.ts";
import { checkedChunking, heightOf, preferredChunking } from "./split_choice.ts";

/** Runs of one pass at most. */
const MOST_REPEATS = 1000;

/** Options that both passes take. */
const KNOWN: readonly string[] = [
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

/** @throws {SchemoeError} for an unknown name or option, or a value without the functions it needs. */
export function resolveChoices(
  choices: PassChoices,
  others: readonly string[],
): ResolvedChoices {
  if (typeof choices !== "object" || choices === null) {
    throw new SchemoeError(
      `Cannot run the pass: give an object of options, got ${quoted(choices)}`,
    );
  }
  checkFields(choices, [...others, ...KNOWN], {
    what: "options",
    fail(problem) {
      throw new SchemoeError(`Cannot run the pass: ${problem}`);
    },
  });
  checkPlain(choices);
  const { signal } = choices;
  checkSignal(signal, (problem) => {
    throw new SchemoeError(`Cannot run the pass: ${problem}`);
  });
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

function isPair(value: Compressor | CompressorPair | string): value is CompressorPair {
  if (typeof value !== "object" || value === null) return false;
  // one that lacks a function is told which
  if (["wireBytes", "name", "encode", "decode"].some((field) => field in value)) return false;
  const foreign = Object.keys(value).find((key) => key !== "dispatch" && key !== "combine");
  if (foreign === undefined) return true;
  throw new SchemoeError(
    `Cannot use the compressor: "${foreign}" is not an exchange (dispatch, combine)`,
  );
}

function checkedCodec(codec: Compressor): Compressor {
  const { height } = codec;
  if (height !== undefined && !(Number.isSafeInteger(height) && height >= 1)) {
    throw new SchemoeError(
      `Cannot use the compressor "${codec.name}": its height is ${
        quoted(height)
      }, not an integer from 1 on`,
    );
  }
  if (codec.native ?? codec.kernels ?? (codec.encode && codec.decode)) return codec;
  throw new SchemoeError(
    `Cannot use the compressor "${codec.name}": it has no functions encode and decode`,
  );
}
