/** Rows that codecs are studied with. @module */
import { quoted } from "../../words.ts";
import {
  aCount,
  aFunction,
  anInteger,
  aSize,
  elementCount,
  expect,
  numbersOf,
  options,
  record,
} from "../../arguments/mod.ts";
import type { Compressor } from "../../compressors/types.ts";
import { randomNormal } from "../../random.ts";
import type { PassChoices } from "../../layer/choices.ts";
import { SchemoeError } from "../../types.ts";

const CODEC_ROWS_OPTIONS = options({ count: elementCount, columns: aCount, seed: anInteger });
const DISPATCHED_ROWS_MODEL = record("a model, such as createModel(engine, sizes)", {
  evaluate: aFunction,
});
const DISPATCHED_ROWS_TOKENS = numbersOf(aSize);

/** Share of the columns with outliers, and how many times as large they are. */
const OUTLIERS = 0.01;
const LARGER = 20;

/** Values with a name: `normal`, N(0, 1), or `outliers`, where one column in a hundred is 20 times as large. */
export type CodecData = "normal" | "outliers";

/** Rows of `columns` values, one after another. */
export function codecRows(
  data: CodecData,
  options: { count: number; columns: number; seed: number },
): Float32Array<ArrayBuffer> {
  expect("codecRows", "options", options, CODEC_ROWS_OPTIONS);
  const { count, columns, seed } = options;
  if (data !== "normal" && data !== "outliers") {
    throw new SchemoeError(
      `Cannot study codecs: unknown data ${
        quoted(data)
      }, choose one of normal, outliers, or give rows`,
    );
  }
  const values = Float32Array.from(randomNormal(count, { seed }));
  if (data === "normal") return values;
  const every = Math.max(1, Math.round(Math.min(columns, 1 / OUTLIERS)));
  return values.map((value, i) => i % columns % every === 0 ? LARGER * value : value);
}

/** Rows that are repeated until there are so many values. @throws {SchemoeError} where there are none. */
export function repeatRows(
  rows: Float32Array,
  { count, columns }: { count: number; columns: number },
): Float32Array<ArrayBuffer> {
  if (rows.length === 0 || rows.length % columns !== 0) {
    throw new SchemoeError(
      `Cannot study codecs: ${rows.length} values are no rows of the layer's ${columns} columns`,
    );
  }
  return Float32Array.from({ length: count }, (_, i) => rows[i % rows.length]);
}

/**
 * The rows that a model, trained or not, sends to its experts: real activations to study codecs with. Places without a
 * token are left out; rows of all Mixture-of-Experts layers, as many times as they have experts.
 *
 * ```ts
 * import { createModel, openEngine } from "@schemoe/lab";
 * import { ffn, topK } from "@schemoe/lab/blocks";
 * import { dispatchedRows } from "@schemoe/lab/studies";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const moe = { experts: 2, hiddenDim: 8, expert: ffn({ activation: "relu" }), gate: topK({ k: 1 }) };
 * const sizes = { vocabulary: 11, context: 8, batch: 1, modelDim: 8, attention: { heads: 2 } };
 * using model = createModel(engine, { ...sizes, layers: [{ moe }] });
 * const rows = await dispatchedRows(model, new Int32Array(2 * 9));
 * console.assert(rows.length % 8 === 0 && rows.length > 0);
 * ```
 * @param tokens as `evaluate` takes them.
 * @throws {SchemoeError} on an engine that computes no values.
 */
export async function dispatchedRows(
  model: { evaluate(tokens: Int32Array, choices?: PassChoices): Promise<number> },
  tokens: Int32Array,
): Promise<Float32Array<ArrayBuffer>> {
  expect("dispatchedRows", "model", model, DISPATCHED_ROWS_MODEL);
  expect("dispatchedRows", "tokens", tokens, DISPATCHED_ROWS_TOKENS);
  const seen: Float32Array[] = [];
  const watching: Compressor = {
    name: "watching",
    wireBytes: ({ rows, columns }) => 4 * rows * columns,
    encode: (values, { columns }) => {
      for (let at = 0; at < values.length; at += columns) {
        const row = values.slice(at, at + columns);
        if (row.some((value) => value !== 0)) seen.push(row);
      }
      return new Uint8Array(values.slice().buffer);
    },
    decode: (bytes) => new Float32Array(bytes.slice().buffer),
  };
  await model.evaluate(tokens, { compressor: { dispatch: watching } });
  const all = new Float32Array(seen.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of seen) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}
