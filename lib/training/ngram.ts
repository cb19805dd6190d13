/** Models of n tokens, what a trained model is compared with. @module */
import {
  aCount,
  anyNumber,
  anything,
  aText,
  expect,
  numbersOf,
  options,
  record,
  something,
} from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import type { TextData } from "./text.ts";

const NGRAM_LOSS_DATA = record("a text, such as textData(text)", {
  tokens: numbersOf(anyNumber),
  trained: something,
  vocabulary: aCount,
  name: aText,
});
const NGRAM_LOSS_OPTIONS = options({ order: anything });

/**
 * Cross entropy in nats a token, on the validation part of a text, of a model of n tokens counted on the training
 * part. Counts are smoothed as Witten and Bell do ("The zero-frequency problem", IEEE Transactions on Information
 * Theory 37, 1991): p(x | c) = (n(c, x) + d(c) p(x | shorter c)) / (n(c) + d(c)), with d(c) the number of different
 * tokens after c; the shortest context is none, and before it all tokens are alike.
 *
 * ```ts
 * import { ngramLoss, textData } from "@schemoe/lab/training";
 * const data = textData("abcabd".repeat(50), { validation: 0.5 });
 * console.assert(ngramLoss(data, { order: 3 }) < ngramLoss(data, { order: 1 }));
 * ```
 * @param options.order tokens of a pattern, 1 to 5; default 3. Time and memory are linear in the text.
 * @throws {SchemoeError} for another order, more than 2^53 patterns, or a validation part of fewer tokens.
 */
export function ngramLoss(data: TextData, options: { readonly order?: number } = {}): number {
  expect("ngramLoss", "data", data, NGRAM_LOSS_DATA);
  expect("ngramLoss", "options", options, NGRAM_LOSS_OPTIONS);
  const { tokens, trained, vocabulary, name } = data;
  const { order = 3 } = options;
  if (!Number.isInteger(order) || order < 1 || order > 5) {
    throw new SchemoeError(
      `Cannot count the text "${name}": order must be an integer from 1 to 5, got ${quoted(order)}`,
    );
  }
  if (vocabulary ** order > Number.MAX_SAFE_INTEGER) {
    throw new SchemoeError(
      `Cannot count the text "${name}": ${vocabulary} different tokens have too many patterns of ${order}`,
    );
  }
  if (tokens.length - trained < order) {
    throw new SchemoeError(
      `Cannot count the text "${name}": ${
        tokens.length - trained
      } tokens for validation are fewer than ${order}`,
    );
  }
  const levels = Array.from(
    { length: order },
    (_, length) => counted(tokens, { trained, vocabulary, length }),
  );
  let sum = 0;
  for (let at = trained + order - 1; at < tokens.length; at++) {
    let probability = 1 / vocabulary;
    for (const [length, { pairs, contexts }] of levels.entries()) {
      const context = keyOf(tokens, at - length, { length, vocabulary });
      const found = contexts.get(context);
      if (!found) break;
      const count = pairs.get(context * vocabulary + tokens[at]) ?? 0;
      probability = (count + found.kinds * probability) / (found.count + found.kinds);
    }
    sum -= Math.log(probability);
  }
  return sum / (tokens.length - trained - order + 1);
}

/** How often each context of a length comes, with how many different tokens after it, and each with each token. */
function counted(
  tokens: TextData["tokens"],
  { trained, vocabulary, length }: {
    readonly trained: number;
    readonly vocabulary: number;
    readonly length: number;
  },
) {
  const pairs = new Map<number, number>();
  const contexts = new Map<number, { count: number; kinds: number }>();
  for (let at = length; at < trained; at++) {
    const context = keyOf(tokens, at - length, { length, vocabulary });
    const pair = context * vocabulary + tokens[at];
    const before = pairs.get(pair) ?? 0;
    pairs.set(pair, before + 1);
    const found = contexts.get(context) ?? { count: 0, kinds: 0 };
    found.count++;
    if (before === 0) found.kinds++;
    contexts.set(context, found);
  }
  return { pairs, contexts };
}

/** A number for `length` tokens from a place on. */
function keyOf(
  tokens: TextData["tokens"],
  from: number,
  { length, vocabulary }: { readonly length: number; readonly vocabulary: number },
): number {
  let key = 0;
  for (let i = 0; i < length; i++) key = key * vocabulary + tokens[from + i];
  return key;
}
