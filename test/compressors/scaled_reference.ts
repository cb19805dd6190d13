/** Codecs with scales by their definitions, value by value: the oracle of the kernels. */
const { fround } = Math;

/** Magnitudes of a small float's codes in order. */
function magnitudes(mantissa: number, bias: number, most: number): number[] {
  return Array.from({ length: most + 1 }, (_, code) => {
    const [exponent, fraction] = [code >> mantissa, code & ((1 << mantissa) - 1)];
    return exponent === 0
      ? fraction * 2 ** (1 - bias - mantissa)
      : (2 ** mantissa + fraction) * 2 ** (exponent - bias - mantissa);
  });
}

const E4M3 = magnitudes(3, 7, 0x7e);
const E5M2 = magnitudes(2, 15, 0x7b);
const E2M1 = magnitudes(1, 1, 7);

/** The nearest of a list, the one with the even number among two; the last for all above. */
function nearest(list: readonly number[], value: number): number {
  const size = Math.abs(value);
  let low = 0;
  while (low + 1 < list.length && list[low + 1] <= size) low++;
  const high = Math.min(low + 1, list.length - 1);
  const [below, above] = [size - list[low], list[high] - size];
  const code = high === low || below < above || (below === above && low % 2 === 0) ? low : high;
  return (value < 0 || Object.is(value, -0) ? -1 : 1) * list[code];
}

function nearestInteger(value: number, most: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  const whole = part > .5 || (part === .5 && floor % 2 !== 0) ? floor + 1 : floor;
  return Math.max(-most, Math.min(most, whole)) + 0;
}

const floor2 = (value: number): number => {
  let exponent = Math.floor(Math.log2(value));
  while (2 ** (exponent + 1) <= value) exponent++;
  while (2 ** exponent > value) exponent--;
  return exponent;
};

/** float32 to the nearest bfloat16. */
function toBf16(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  view.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0);
  return view.getFloat32(0);
}

/** decode(encode(block)) of finite values, given their largest magnitude. */
const FORMATS: Record<string, { block: number; code: (amax: number) => (x: number) => number }> = {
  fp8: { block: 128, code: (amax) => floats(E4M3, 448, amax) },
  fp8e5m2: { block: 128, code: (amax) => floats(E5M2, 57344, amax) },
  mxfp8: { block: 32, code: (amax) => powers(E4M3, 8, amax) },
  mxfp4: { block: 32, code: (amax) => powers(E2M1, 2, amax) },
  int8Blocks: {
    block: 128,
    code(amax) {
      const most = Math.max(amax, 2 ** -100);
      const [scale, inverse] = [fround(most / 127), fround(127 / most)];
      return (x) => fround(nearestInteger(fround(x * inverse), 127) * scale);
    },
  },
  int4: {
    block: 32,
    code(amax) {
      const scale = toBf16(fround(Math.max(amax, 2 ** -100) / 7));
      const inverse = fround(1 / scale);
      return (x) => fround(nearestInteger(fround(x * inverse), 7) * scale);
    },
  },
};

function floats(list: readonly number[], top: number, amax: number) {
  const most = Math.max(amax, fround(1e-4));
  const [scale, inverse] = [fround(most / top), fround(top / most)];
  return (x: number) => fround(nearest(list, fround(x * inverse)) * scale);
}

function powers(list: readonly number[], top: number, amax: number) {
  const exponent = amax === 0 ? -127 : Math.max(-127, floor2(amax) - top);
  return (x: number) => fround(nearest(list, fround(x * 2 ** -exponent)) * 2 ** exponent);
}

/** decode(encode(row)) of a finite row. */
export function throughScaled(name: string, row: Float32Array): Float32Array<ArrayBuffer> {
  const { block, code } = FORMATS[name];
  const out = new Float32Array(row.length);
  for (let j = 0; j < row.length; j += block) {
    const part = row.subarray(j, j + block);
    out.set(part.map(code(part.reduce((most, x) => Math.max(most, Math.abs(x)), 0))), j);
  }
  return out;
}

/** The k values of a row that are largest in magnitude, zeros elsewhere. */
export function throughLargest(k: number, row: Float32Array): Float32Array<ArrayBuffer> {
  const order = [...row.keys()].sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]) || a - b);
  const out = new Float32Array(row.length);
  for (const j of order.slice(0, k)) out[j] = row[j];
  return out;
}
