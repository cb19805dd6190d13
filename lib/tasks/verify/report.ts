/** What `verify` prints: a line for each run, or one for all runs of a case. @module */

/** A run of a case. */
export interface VerifyResult {
  readonly case: string;
  readonly engine: string;
  /** As far as they were given: what bytes travel by, and the GPU of each rank. */
  readonly transport?: string;
  readonly copyBy?: string;
  readonly devices?: string;
  readonly dtype: string;
  readonly nodes: number;
  readonly ranks: number;
  readonly scheduler: string;
  readonly allToAll: string;
  readonly compressor: string;
  readonly chunks: number;
  readonly chunking: string;
  /** Present where a token crosses once to a node, instead of for each choice. */
  readonly dispatch?: "node";
  /** Whether experts are padded to their capacity. */
  readonly rows: "padded" | "dropless";
  /** Relative error of each tensor: the largest, or with a codec in the 2-norm (`norm`). */
  readonly errors: Readonly<Record<string, number>>;
  readonly norm: "max" | "rms";
  /** Bounds of the tensors whose errors are larger. */
  readonly over?: Readonly<Record<string, number>>;
  readonly pass: boolean;
  /** Why it could not be run. */
  readonly error?: string;
  /** Hash of the bits of all result tensors, when it was asked for. */
  readonly digest?: string;
}

/** All runs of a case. */
export interface VerifySummary extends Omit<VerifyResult, "scheduler" | "allToAll" | "digest"> {
  readonly schedulers: number;
  readonly allToAlls: number;
  readonly runs: number;
  readonly passed: number;
  /** All hashes there were: one says that all runs gave the same bits. */
  readonly digests: readonly string[];
}

/** The runs of one case as one. @throws {RangeError} without any. */
export function summaryOf(results: readonly VerifyResult[]): VerifySummary {
  if (results.length === 0) throw new RangeError("no runs");
  const { scheduler: _scheduler, allToAll: _allToAll, digest: _digest, ...shared } = results[0];
  const errors: Record<string, number> = {};
  for (const result of results) {
    for (const [tensor, error] of Object.entries(result.errors)) {
      errors[tensor] = Math.max(errors[tensor] ?? 0, error); // NaN is the largest
    }
  }
  const different = (of: (result: VerifyResult) => string | undefined) =>
    [...new Set(results.map(of))].filter((value) => value !== undefined).toSorted();
  return {
    ...shared,
    schedulers: different(({ scheduler }) => scheduler).length,
    allToAlls: different(({ allToAll }) => allToAll).length,
    runs: results.length,
    passed: results.filter(({ pass }) => pass).length,
    over: Object.assign({}, ...results.map(({ over }) => over)),
    error: results.find(({ error }) => error !== undefined)?.error,
    pass: results.every(({ pass }) => pass),
    errors,
    digests: different(({ digest }) => digest),
  };
}

/** One line of text. */
export function lineOf(result: VerifyResult | VerifySummary): string {
  const { pass, nodes, ranks, devices, compressor, chunks, chunking, rows, errors } = result;
  const { norm, over = {}, error: problem } = result;
  if (problem !== undefined && Object.keys(errors).length === 0) {
    return `FAIL ${result.case}: ${problem}`;
  }
  const list = shortened(errors, over).map(([tensor, error]) => {
    const bound = Object.hasOwn(over, tensor) ? ` > ${over[tensor].toExponential(1)}` : "";
    return `${tensor} ${error.toExponential(1)}${bound}`;
  });
  const on = devices ? ` on GPUs ${devices}` : "";
  const [what, bits] = "runs" in result
    ? [
      `${result.passed} of ${result.runs} with ${result.schedulers} schedulers and ` +
      (result.dispatch ? "tokens that cross once" : `${result.allToAlls} all-to-alls`),
      result.digests,
    ]
    : [`${result.scheduler}, ${result.allToAll}`, result.digest ? [result.digest] : []];
  const told = bits.length > 0 ? [`bits ${bits.join(" ")}`] : [];
  const codec = norm === "rms" ? `${compressor} by 2-norm` : compressor;
  const how = `${codec}, chunks ${chunks} by ${chunking}, ${rows}`;
  return [
    `${
      pass ? "ok  " : "FAIL"
    } ${result.case} (${ranks} ranks${on}, nodes ${nodes}, ${what}, ${how})`,
    ...list,
    ...told,
    ...(problem === undefined ? [] : [problem]),
  ].join("  ");
}

/** Tensors of one kind that are printed one by one. */
const FEW = 12;

/** Errors as they are printed: of many gradients or many parameters the largest, beside those over their bounds. */
function shortened(
  errors: VerifyResult["errors"],
  over: Readonly<Record<string, number>>,
): [string, number][] {
  const entries = Object.entries(errors);
  const kinds = ["grad.", "final."].filter((kind) =>
    entries.filter(([name]) => name.startsWith(kind)).length > FEW
  );
  const alone = entries.filter(([name]) =>
    Object.hasOwn(over, name) || !kinds.some((kind) => name.startsWith(kind))
  );
  const largest = kinds.map((kind): [string, number] => {
    const [name, error] = entries.filter(([name]) => name.startsWith(kind))
      .reduce((worst, entry) => entry[1] > worst[1] ? entry : worst);
    return [`${kind}* (${name.slice(kind.length)})`, error];
  });
  return [...alone, ...largest];
}
