/** zfp at a fixed rate from its description, bit by bit and slowly: the oracle of the kernels. */

const ORDER = {
  1: [0, 1, 2, 3],
  2: [0, 1, 4, 5, 2, 8, 6, 9, 3, 12, 10, 7, 13, 11, 14, 15],
} as const;

/** Lines of four within a block, in the order in which they are transformed forwards. */
const lines = (dimensions: 1 | 2): number[][] =>
  dimensions === 1 ? [[0, 1, 2, 3]] : [
    ...[0, 4, 8, 12].map((y) => [y, y + 1, y + 2, y + 3]),
    ...[0, 1, 2, 3].map((x) => [x, x + 4, x + 8, x + 12]),
  ];

function lift(v: Int32Array, [a, b, c, d]: number[]): void {
  let [x, y, z, w] = [v[a], v[b], v[c], v[d]];
  x = (x + w) | 0, x >>= 1, w = (w - x) | 0;
  z = (z + y) | 0, z >>= 1, y = (y - z) | 0;
  x = (x + z) | 0, x >>= 1, z = (z - x) | 0;
  w = (w + y) | 0, w >>= 1, y = (y - w) | 0;
  w = (w + (y >> 1)) | 0, y = (y - (w >> 1)) | 0;
  [v[a], v[b], v[c], v[d]] = [x, y, z, w];
}

function unlift(v: Int32Array, [a, b, c, d]: number[]): void {
  let [x, y, z, w] = [v[a], v[b], v[c], v[d]];
  y = (y + (w >> 1)) | 0, w = (w - (y >> 1)) | 0;
  y = (y + w) | 0, w = (w << 1) - y | 0;
  z = (z + x) | 0, x = (x << 1) - z | 0;
  y = (y + z) | 0, z = (z << 1) - y | 0;
  w = (w + x) | 0, x = (x << 1) - w | 0;
  [v[a], v[b], v[c], v[d]] = [x, y, z, w];
}

/** decode(encode(block)), by the list of its bits. */
function throughBlock(block: number[], dimensions: 1 | 2, rate: number): number[] {
  const size = block.length;
  const bits: number[] = [];
  const most = size * rate;
  const largest = Math.max(...block.map(Math.abs));
  if (largest === 0) return block.map(() => 0);
  let exponent = Math.floor(Math.log2(largest)) + 1;
  while (2 ** exponent <= largest) exponent++;
  while (2 ** (exponent - 1) > largest) exponent--;
  exponent = Math.max(exponent, -126);
  const header = 2 * (exponent + 127) + 1;
  for (let i = 0; i < 9; i++) bits.push((header >> i) & 1);
  const v = Int32Array.from(block, (value) => Math.trunc(value * 2 ** (30 - exponent)));
  for (const line of lines(dimensions)) lift(v, line);
  const order = ORDER[dimensions];
  const u = order.map((i) => ((v[i] + 0xaaaaaaaa) ^ 0xaaaaaaaa) >>> 0);
  for (let plane = 31, n = 0; plane >= 0; plane--) {
    const bit = u.map((word) => (word >>> plane) & 1);
    for (let i = 0; i < n; i++) bits.push(bit[i]);
    while (n < size) {
      const any = Number(bit.slice(n).some(Boolean));
      bits.push(any);
      if (!any) break;
      while (n < size - 1 && !bit[n]) bits.push(bit[n++]);
      if (n++ < size - 1) bits.push(1);
    }
  }
  let at = 9;
  const left = () => at < most;
  const next = () => bits[at++] ?? 0;
  const back = new Array<number>(size).fill(0);
  for (let plane = 31, n = 0; plane >= 0 && left(); plane--) {
    const here = new Array<number>(size).fill(0);
    for (let i = 0; i < n && left(); i++) here[i] = next();
    while (n < size && left() && next()) {
      while (n < size - 1 && left() && !next()) n++;
      here[n++] = 1;
    }
    here.forEach((bit, i) => back[i] = (back[i] | (bit << plane)) >>> 0);
  }
  order.forEach((i, k) => v[i] = (back[k] ^ 0xaaaaaaaa) - 0xaaaaaaaa | 0);
  for (const line of lines(dimensions).toReversed()) unlift(v, line);
  return [...v].map((value) => Math.fround(Math.fround(value) * 2 ** (exponent - 30)));
}

/** decode(encode(rows)) of [rows, columns] values. */
export function throughZfp(
  values: Float32Array,
  { columns, rate, dimensions }: { columns: number; rate: number; dimensions: 1 | 2 },
): Float32Array<ArrayBuffer> {
  const rows = values.length / columns;
  const out = new Float32Array(values.length);
  const high = dimensions === 2 ? 4 : 1;
  /** Where value i of four is taken from when there are n. */
  const from = (i: number, n: number) => i < n ? i : i === 3 ? 0 : n - 1;
  for (let y = 0; y < rows; y += high) {
    for (let x = 0; x < columns; x += 4) {
      const [nx, ny] = [Math.min(4, columns - x), Math.min(high, rows - y)];
      const block = Array.from({ length: 4 * high }, (_, i) => {
        const [row, column] = [from(Math.floor(i / 4), ny), from(i % 4, nx)];
        return values[(y + row) * columns + x + column];
      });
      const decoded = throughBlock(block, dimensions, rate);
      for (let row = 0; row < ny; row++) {
        for (let column = 0; column < nx; column++) {
          out[(y + row) * columns + x + column] = decoded[4 * row + column];
        }
      }
    }
  }
  return out;
}
