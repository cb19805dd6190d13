/** Cost of each all-to-all for a rank, from its description and not from its plan. @module */
import type { Topology } from "../../types.ts";

/** Time and bytes of one all-to-all alone. */
export interface Formula {
  /**
   * In words: N nodes of M ranks, P = N M, s bytes a slice; links inside (ai, bi) and between (ae, be)
   * nodes and of a rank to itself (bl).
   */
  readonly text: string;
  readonly seconds: number;
  /** Bytes that the busiest rank sends over links. */
  readonly bytes: number;
}

/**
 * Formulas by name of the all-to-all, for more than one node and more than one rank a node; those of
 * `pairwise` and `bruck` for powers of two. An all-to-all need not have one.
 */
export function allToAllFormulas(
  world: Topology,
  sliceBytes: number,
): Readonly<Record<string, Formula | undefined>> {
  const { nodes: N, ranksPerNode: M, ranks: P, links } = world;
  const s = sliceBytes;
  const intra = (messages: number, slices: number) =>
    messages * (links.intra.alpha + links.intra.beta * slices * s);
  const inter = (messages: number, slices: number) =>
    messages * (links.inter.alpha + links.inter.beta * slices * s);
  const local = (slices: number) => links.local.beta * slices * s;
  const rounds = Math.log2(P);
  const direct = {
    text: "(M-1)(ai+bi s) + (P-M)(ae+be s) + bl s",
    seconds: intra(M - 1, 1) + inter(P - M, 1) + local(1),
    bytes: (P - 1) * s,
  };
  const twoDimensions = {
    text: "2 bl P s + (M-1)(ai+bi N s) + bl N s + (N-1)(ae+be M s) + bl M s",
    seconds: 2 * local(P) + intra(M - 1, N) + local(N) + inter(N - 1, M) + local(M),
    bytes: ((M - 1) * N + (N - 1) * M) * s,
  };
  return {
    linear: direct,
    pairwise: direct,
    pipe: {
      text: "max((M-1)(ai+bi s) + bl s, (P-M)(ae+be s))",
      seconds: Math.max(intra(M - 1, 1) + local(1), inter(P - M, 1)),
      bytes: (P - 1) * s,
    },
    hierarchical2d: twoDimensions,
    hierarchical2dPipelined: twoDimensions,
    hierarchical1d: {
      text: "2 (M-1)(ai+bi P s) + 2 bl P s + 2 bl M P s + (N-1)(ae+be M M s) + bl M M s",
      seconds: 2 * intra(M - 1, P) + local(2 * P + 2 * M * P + M * M) + inter(N - 1, M * M),
      bytes: ((M - 1) * P + (N - 1) * M * M) * s,
    },
    bruck: {
      text: "log2(P) (ae+be s P/2 + bl s P/2) + bl P s",
      seconds: rounds * (inter(1, P / 2) + local(P / 2)) + local(P),
      bytes: rounds * P / 2 * s,
    },
  };
}
