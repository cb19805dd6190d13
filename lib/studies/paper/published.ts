/** Results of Shi et al., "ScheMoE", EuroSys'24 (doi 10.1145/3627703.3650083), as printed. @module */

/** A measured time. */
export interface Published {
  /** Number of the table. */
  readonly table: 1 | 7 | 8 | 10;
  /** Model or layer that was timed. */
  readonly workload: WorkloadName;
  /** System, or variant of it, that ran. */
  readonly method: Method;
  /** The timed part: a training step, or its all-to-alls. */
  readonly what: "step" | "all-to-alls";
  /** The printed time. */
  readonly milliseconds: number;
}

/** Workload; see `workloads.ts`. */
export type WorkloadName =
  | "CT-MoE-12"
  | "CT-MoE-16"
  | "CT-MoE-20"
  | "CT-MoE-24"
  | "BERT-Large-MoE"
  | "ablation layer";

/** How; see `methods.ts`. */
export type Method =
  | "Tutel"
  | "FasterMoE"
  | "ScheMoE"
  | "ScheMoE-Z"
  | "ScheMoE-ZP"
  | "Naive";

const depths = [12, 16, 20, 24] as const;
const perDepth = (
  table: 1 | 7,
  method: Method,
  what: Published["what"],
  times: readonly number[],
): Published[] =>
  depths.map((depth, i) => ({
    table,
    method,
    what,
    workload: `CT-MoE-${depth}` as const,
    milliseconds: times[i],
  }));
const one = (
  table: 8 | 10,
  workload: WorkloadName,
  method: Method,
  milliseconds: number,
): Published => ({ table, workload, method, what: "step", milliseconds });

/** Tables 1, 7, 8 and 10. */
export const PUBLISHED: readonly Published[] = [
  ...perDepth(1, "Tutel", "all-to-alls", [252.6, 324.8, 419.3, 507.4]),
  ...perDepth(1, "Tutel", "step", [497.1, 623.0, 768.9, 863.6]),
  ...perDepth(7, "Tutel", "step", [497, 623, 769, 864]),
  ...perDepth(7, "FasterMoE", "step", [506, 640, 845, 1003]),
  ...perDepth(7, "ScheMoE", "step", [454, 552, 658, 774]),
  one(8, "BERT-Large-MoE", "Tutel", 783.3),
  one(8, "BERT-Large-MoE", "ScheMoE", 672.9),
  one(10, "ablation layer", "Naive", 2401),
  one(10, "ablation layer", "ScheMoE-Z", 1264),
  one(10, "ablation layer", "ScheMoE-ZP", 1110),
  one(10, "ablation layer", "ScheMoE", 1019),
];

/** Mean of Tutel's time over ScheMoE's over the 675 layers of table 4, section 6.3. */
export const GRID_MEAN = 1.22;
