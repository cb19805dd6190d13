/** The curve of a run, kept in its checkpoints. @module */
import type { SpeedRow, StepRow, ValidationRow } from "./step_row.ts";
import { parseJson } from "../files/json.ts";

/** The progress of a run so far. */
export interface History {
  /** Every step. */
  readonly steps: readonly StepRow[];
  /** Tokens a second, once for each report. */
  readonly speeds: readonly SpeedRow[];
  /** Every validation. */
  readonly validations: readonly ValidationRow[];
  /** Seconds of the whole, checkpoints and validations included. */
  readonly seconds: number;
}

/** Name of the history in the metadata of a checkpoint. */
export const HISTORY = "training";

/** The history in a checkpoint's metadata; an empty one where it has none that can be read. */
export function historyOf(metadata: Readonly<Record<string, string>>): History {
  const empty: History = { steps: [], speeds: [], validations: [], seconds: 0 };
  try {
    const found: Partial<History> = parseJson(metadata[HISTORY] ?? "{}");
    const { steps, speeds, validations, seconds } = found;
    const rows = (list: unknown) =>
      Array.isArray(list) && list.every((row) => Number.isInteger(Object(row).step));
    const lists = [steps, speeds, validations].every(rows);
    return lists && typeof seconds === "number" ? found as History : empty;
  } catch {
    return empty;
  }
}
