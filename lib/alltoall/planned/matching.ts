/** Perfect matchings of the rows and columns of a square matrix. @module */

/**
 * The matching of largest sum (Kuhn and Munkres with potentials, O(size^3)).
 * @returns column of each row.
 */
export function heaviestMatching(matrix: Float64Array, size: number): Int32Array {
  // rows are added one by one, each along a shortest way; index 0 stands for "none"
  const [u, v] = [new Float64Array(size + 1), new Float64Array(size + 1)];
  const rowOf = new Int32Array(size + 1);
  const way = new Int32Array(size + 1);
  const least = new Float64Array(size + 1);
  const used = new Uint8Array(size + 1);
  for (let row = 1; row <= size; row++) {
    rowOf[0] = row;
    least.fill(Infinity);
    used.fill(0);
    let column = 0;
    do {
      used[column] = 1;
      const at = rowOf[column];
      const entry = (at - 1) * size - 1;
      const potential = u[at];
      let delta = Infinity;
      let next = 0;
      for (let j = 1; j <= size; j++) {
        if (used[j]) continue;
        const cost = -matrix[entry + j] - potential - v[j];
        if (cost < least[j]) {
          least[j] = cost;
          way[j] = column;
        }
        if (least[j] < delta) {
          delta = least[j];
          next = j;
        }
      }
      for (let j = 0; j <= size; j++) {
        if (used[j]) {
          u[rowOf[j]] += delta;
          v[j] -= delta;
        } else least[j] -= delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    do {
      const before = way[column];
      rowOf[column] = rowOf[before];
      column = before;
    } while (column !== 0);
  }
  const columns = new Int32Array(size);
  for (let j = 1; j <= size; j++) columns[rowOf[j] - 1] = j - 1;
  return columns;
}

/** Columns of the entries of at least `limit`, row after row: those of row i from `first[i]` on. */
function entriesAbove(matrix: Float64Array, size: number, limit: number) {
  const first = new Int32Array(size + 1);
  const columns = new Int32Array(matrix.length);
  let count = 0;
  for (let row = 0; row < size; row++) {
    for (let j = 0; j < size; j++) if (matrix[row * size + j] >= limit) columns[count++] = j;
    first[row + 1] = count;
  }
  return { first, columns };
}

/**
 * A perfect matching whose entries are all at least `limit`, if there is one (augmenting ways).
 * @returns column of each row, or undefined.
 */
export function matchingAbove(
  matrix: Float64Array,
  size: number,
  limit: number,
): Int32Array | undefined {
  const { first, columns: large } = entriesAbove(matrix, size, limit);
  // a row or a column without an entry has no partner
  const met = new Uint8Array(size);
  for (let i = 0; i < first[size]; i++) met[large[i]] = 1;
  for (let i = 0; i < size; i++) if (first[i] === first[i + 1] || !met[i]) return undefined;
  const rowOf = new Int32Array(size).fill(-1);
  const seen = new Int32Array(size).fill(-1);
  const augment = (row: number, stamp: number): boolean => {
    for (let i = first[row]; i < first[row + 1]; i++) {
      const j = large[i];
      if (seen[j] === stamp) continue;
      seen[j] = stamp;
      if (rowOf[j] < 0 || augment(rowOf[j], stamp)) {
        rowOf[j] = row;
        return true;
      }
    }
    return false;
  };
  for (let row = 0; row < size; row++) if (!augment(row, row)) return undefined;
  const columns = new Int32Array(size);
  rowOf.forEach((row, j) => columns[row] = j);
  return columns;
}
