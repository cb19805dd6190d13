/** Decompositions of the bytes between nodes into stages in which each node has one partner a side. @module */
import { marginals } from "./flows.ts";
import { heaviestMatching, matchingAbove } from "./matching.ts";

/** Bytes of each pair in one stage. */
export interface Stage {
  /** Partner to which each node sends, -1: none. */
  readonly to: Int32Array;
  /** Bytes that each node sends in it. */
  readonly bytes: Float64Array;
}

/** Stages, and the rest after the most allowed, moved in one last step. */
export interface Stages {
  readonly stages: readonly Stage[];
  readonly rest: Float64Array;
}

/** Halvings of the smallest entry that a stage may have. */
const HALVINGS = 20;

/**
 * Birkhoff and von Neumann: the matrix is filled up until all rows and columns have one sum, then perfect
 * matchings are taken off one by one, each as far as its smallest entry goes and chosen with that entry near
 * its largest possible. With all stages taken their times add up to the largest row or column.
 *
 * @param most stages at most; the remainder is `rest`.
 */
export function birkhoff(matrix: Float64Array, size: number, most: number): Stages {
  const left = matrix.slice();
  const padded = filledUp(matrix, size);
  const total = marginals(padded, size).rows[0];
  const stages: Stage[] = [];
  let done = 0;
  while (stages.length < most && total - done > total * 1e-9) {
    const columns = heavyMatching(padded, size, total - done);
    if (!columns) break;
    let amount = Infinity;
    columns.forEach((column, row) => amount = Math.min(amount, padded[row * size + column]));
    const bytes = new Float64Array(size);
    columns.forEach((column, row) => {
      const i = row * size + column;
      padded[i] -= amount;
      bytes[row] = Math.min(left[i], amount);
      left[i] -= bytes[row];
    });
    done += amount;
    const to = columns.map((column, row) => bytes[row] > 0 ? column : -1);
    if (to.some((column) => column >= 0)) stages.push({ to, bytes });
  }
  return { stages, rest: clean(left, total) };
}

/** Matrix of equal sums that is nowhere below another: row by row what is missing, to the first columns with room. */
function filledUp(matrix: Float64Array, size: number): Float64Array {
  const filled = matrix.slice();
  const { rows, columns } = marginals(matrix, size);
  const target = Math.max(...rows, ...columns);
  for (let i = 0, j = 0; i < size && j < size;) {
    const add = Math.min(target - rows[i], target - columns[j]);
    filled[i * size + j] += add;
    rows[i] += add;
    columns[j] += add;
    if (target - rows[i] <= target - columns[j]) i++;
    else j++;
  }
  return filled;
}

/** A perfect matching whose smallest entry is within a factor of 2 of the largest possible. */
function heavyMatching(matrix: Float64Array, size: number, most: number): Int32Array | undefined {
  let limit = most;
  for (let i = 0; i < HALVINGS; i++, limit /= 2) {
    const found = matchingAbove(matrix, size, limit);
    if (found) return found;
  }
  return undefined;
}

/**
 * Matchings of largest weight, each with all bytes of its pairs: few, heavy stages. After `exact` of them each
 * pair, the heaviest first, goes to the first stage in which both its nodes are free, which is quicker.
 */
export function heavyStages(matrix: Float64Array, size: number, exact: number): Stage[] {
  const left = matrix.slice();
  const stages: Stage[] = [];
  while (stages.length < exact && left.some((bytes) => bytes > 0)) {
    const stage = emptyStage(size);
    heaviestMatching(left, size).forEach((column, row) => take(stage, left, row * size + column));
    stages.push(stage);
  }
  const order = Array.from({ length: size * size }, (_, i) => i).filter((i) => left[i] > 0)
    .sort((a, b) => left[b] - left[a] || a - b);
  const receives: Uint8Array[] = [];
  for (const i of order) {
    const [row, column] = [Math.floor(i / size), i % size];
    let k = 0;
    while (k < receives.length && (stages[exact + k].to[row] >= 0 || receives[k][column])) k++;
    if (k === receives.length) {
      receives.push(new Uint8Array(size));
      stages.push(emptyStage(size));
    }
    receives[k][column] = 1;
    take(stages[exact + k], left, i);
  }
  return stages;
}

const emptyStage = (size: number) => ({
  to: new Int32Array(size).fill(-1),
  bytes: new Float64Array(size),
});

function take({ to, bytes }: Stage, left: Float64Array, i: number): void {
  if (left[i] === 0) return;
  const row = Math.floor(i / to.length);
  to[row] = i % to.length;
  bytes[row] = left[i];
  left[i] = 0;
}

function clean(left: Float64Array, total: number): Float64Array {
  return left.map((bytes) => bytes > total * 1e-9 ? bytes : 0);
}
