/** Losses on a routing and updates of a selection bias, in plain loops and float64. */
import { best, softmax } from "../blocks/dense.ts";
import type { CaseFields, Token } from "./gates_fields.ts";

export const sum = (values: Iterable<number>): number => {
  let all = 0;
  for (const v of values) all += v;
  return all;
};
export const descending = (values: readonly number[]) => [...values].sort((a, b) => b - a);

/** erf by its power series, and far from 0 by the continued fraction of erfc. */
export function erf(x: number): number {
  if (Math.abs(x) > 2.5) {
    let under = Math.abs(x);
    for (let n = 40; n > 0; n--) under = Math.abs(x) + n / 2 / under;
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / under);
  }
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

interface LossInput {
  readonly f: CaseFields;
  readonly own: readonly Token[];
  readonly counts: readonly (readonly number[])[];
  readonly r: number;
  readonly gaps: (values: readonly number[], from: number, to: number) => void;
}

export function lossOf(name: string, { f, own, counts, r, gaps }: LossInput): number {
  const { tokens, topK, ranks } = f;
  const rows = own[0].z.length;
  const range = Array.from({ length: rows }, (_, e) => e);
  const p = own.map(({ z, s }) => {
    if (f.gate.scores === "softmax" || f.gate.scores === "softmaxOfChosen") return softmax(z);
    const all = sum(s) + 1e-20;
    return s.map((v) => v / all);
  });
  const P = range.map((e) => sum(p.map((of) => of[e])) / tokens);
  const balance = (n: readonly number[], all: number) =>
    rows * sum(range.map((e) => P[e] * n[e])) / all;
  const variation = (values: readonly number[]) => {
    const mean = sum(values) / rows;
    return sum(values.map((v) => (v - mean) ** 2)) / rows / mean ** 2;
  };
  switch (name) {
    case "gshard":
      return balance(range.map((e) => own.filter(({ chosen }) => chosen[0] === e).length), tokens);
    case "switch":
      return balance(counts[r], topK * tokens);
    case "globalBatch":
      return balance(range.map((e) => sum(counts.map((n) => n[e]))), topK * tokens * ranks);
    case "sequence": {
      for (const { s } of own) gaps(s, topK - 1, topK);
      const top = own.map(({ s }) => best(s, topK));
      return balance(range.map((e) => top.filter((of) => of.includes(e)).length), topK * tokens);
    }
    case "z":
      return sum(own.map(({ z }) => Math.log(sum(z.map((v) => Math.exp(v)))) ** 2)) / tokens;
    case "importance":
      return variation(range.map((e) => sum(own.map(({ w }) => w[e]))));
    case "load":
      return variation(range.map((e) =>
        sum(own.map(({ z, clean, deviation }) => {
          gaps(z, topK - 1, topK + 1);
          const h = descending(z.filter((_, other) => other !== e))[topK - 1];
          return 0.5 * (1 + erf((clean[e] - h) / deviation[e] / Math.SQRT2));
        }))
      ));
  }
  throw new Error(`no loss ${name}`);
}

export function signed(
  bias: number[],
  counts: readonly (readonly number[])[],
  rate: number,
): number[] {
  const loads = bias.map((_, e) => sum(counts.map((n) => n[e])));
  const mean = sum(loads) / loads.length;
  return bias.map((b, e) => b + rate * Math.sign(mean - loads[e]));
}

export function balanced(
  bias: number[],
  all: readonly Token[][],
  topK: number,
  ema: number,
): number[] {
  const rows = bias.length;
  const c = all.map((own) => {
    const a = own.map(({ z }) => descending(z.map((v, e) => v + bias[e]))[topK]);
    const rank = own.length * topK / rows;
    return bias.map((_, e) => -descending(own.map(({ z }, i) => z[e] - a[i]))[rank]);
  });
  const moved = bias.map((b, e) => ema * b + (1 - ema) * sum(c.map((of) => of[e])) / all.length);
  const mean = sum(moved) / rows;
  return moved.map((v) => v - mean);
}
