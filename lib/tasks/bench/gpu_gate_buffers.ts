/** Buffers of the kernels of a gate. @module */
import type { Engine, Workspace } from "../../engine.ts";

const MATRICES = ["logits", "scores", "clean", "spread", "noise", "dLogits", "dSpread"] as const;
const OF_CHOICES = ["weights", "dWeights"] as const;
const OF_ROWS = ["bias", "counts", "balance", "importance", "slopes", "next"] as const;
const NUMBERS = ["loss", "total", "temperature", "dTemperature"] as const;
const INTEGERS = ["choices", "targets", "positions", "loads"] as const;

/** All buffers that kernels of gates take. */
export const GATE_BUFFERS = [
  ...MATRICES,
  ...OF_CHOICES,
  ...OF_ROWS,
  ...NUMBERS,
  ...INTEGERS,
] as const;

/** Sizes of a gate. */
export interface GateSize {
  /** Tokens of the one rank. */
  readonly tokens: number;
  /** Experts, one row of the gate's weight each. */
  readonly rows: number;
  /** Experts of a token. */
  readonly k: number;
}

/** Buffers with normal logits, positive scores and distinct choices. */
export function gateBuffers(engine: Engine, { tokens, rows, k }: GateSize): Workspace {
  const workspace = engine.workspace();
  const each = tokens * rows;
  const chosen = tokens * k;
  const values = (count: number, of: (i: number) => number) =>
    Float32Array.from({ length: count }, (_, i) => of(i));
  let state = 1;
  const uniform =
    () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0, (state + 1) / 2 ** 32);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const block = values(1_000_003, normal);
  for (const name of MATRICES) {
    workspace.ensure({ [name]: 4 * each });
    for (let i = 0; i < each; i += block.length) {
      workspace.write(name, 0, block.subarray(0, Math.min(block.length, each - i)), 4 * i);
    }
  }
  const small = (names: readonly string[], count: number) => {
    for (const name of names) {
      workspace.ensure({ [name]: 4 * count });
      workspace.write(name, 0, values(count, () => 0.5 + uniform() / 2));
    }
  };
  small(OF_CHOICES, chosen);
  small(OF_ROWS, rows);
  small(NUMBERS, 1);
  workspace.ensure({
    choices: 4 * chosen,
    targets: 4 * chosen,
    positions: 4 * chosen,
    loads: 4 * rows,
  });
  workspace.ensure({ dense: 4 * each, a: 4 * 4 * each, b: 4 * 4 * each });
  workspace.write(
    "choices",
    0,
    Int32Array.from({ length: chosen }, (_, i) => {
      const token = Math.floor(i / k);
      return (token * 7 + (i - token * k) * 5 + Math.floor(token / 3)) % rows;
    }),
  );
  return workspace;
}
