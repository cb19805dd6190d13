/** Where two curves cross. @module */

/** A curve: its name and its y at each x. */
export interface Curve {
  readonly name: string;
  readonly y: readonly number[];
}

/** Two curves meet at `x`; before it `before` is the better one, after it `after`. */
export interface Crossing {
  /** Where they meet. */
  readonly x: number;
  /** The value of both there. */
  readonly y: number;
  /** The better one for smaller x. */
  readonly before: string;
  /** The better one for larger x. */
  readonly after: string;
}

/** Differences below this part of the values are none. */
const EQUAL = 1e-9;

/**
 * All crossings of pairs of curves over rising x, found between neighbouring points by straight lines:
 * on a logarithmic x axis when `logarithmic`. The lower curve is the better one.
 */
export function crossings(
  x: readonly number[],
  curves: readonly Curve[],
  logarithmic: boolean,
): Crossing[] {
  const found: Crossing[] = [];
  for (const [i, a] of curves.entries()) {
    for (const b of curves.slice(i + 1)) found.push(...crossingsOf(x, a, b, logarithmic));
  }
  return found.toSorted((a, b) => a.x - b.x);
}

function crossingsOf(x: readonly number[], a: Curve, b: Curve, logarithmic: boolean): Crossing[] {
  const scale = logarithmic ? Math.log : (value: number) => value;
  const back = logarithmic ? Math.exp : (value: number) => value;
  const found: Crossing[] = [];
  let last = -1; // the last point at which they differed
  for (let at = 0; at < x.length; at++) {
    const difference = a.y[at] - b.y[at];
    if (Math.abs(difference) <= EQUAL * Math.max(Math.abs(a.y[at]), Math.abs(b.y[at]))) continue;
    if (last >= 0 && Math.sign(a.y[last] - b.y[last]) !== Math.sign(difference)) {
      const before = a.y[last] - b.y[last];
      const part = before / (before - difference);
      const between = (from: number, to: number) => from + part * (to - from);
      const [lower, higher] = before < 0 ? [a.name, b.name] : [b.name, a.name];
      found.push({
        x: back(between(scale(x[last]), scale(x[at]))),
        y: between(a.y[last], a.y[at]),
        before: lower,
        after: higher,
      });
    }
    last = at;
  }
  return found;
}

/** Those crossings at which no other curve is better than the two: where the best one changes. */
export function leadChanges(
  x: readonly number[],
  curves: readonly Curve[],
  logarithmic: boolean,
): Crossing[] {
  const scale = logarithmic ? Math.log : (value: number) => value;
  const at = ({ y }: Curve, x0: number) => {
    const next = Math.max(1, x.findIndex((value) => value >= x0));
    const part = (scale(x0) - scale(x[next - 1])) / (scale(x[next]) - scale(x[next - 1]));
    return y[next - 1] + part * (y[next] - y[next - 1]);
  };
  return crossings(x, curves, logarithmic).filter(({ x: x0, y }) =>
    curves.every((curve) => at(curve, x0) >= y - EQUAL * Math.abs(y))
  );
}
