/**
 * Tensors of an ONNX model whose values lie in other files, found in its bytes without a package
 * (onnx.proto, https://protobuf.dev/programming-guides/encoding/).
 * @module
 */

/** A tensor whose values are not in the model. */
export interface ExternalTensor {
  readonly name: string;
  /** Their fields in the model: `location`, `offset`, `length`. */
  readonly says: ReadonlyMap<string, string>;
}

type Kind =
  | "model"
  | "graph"
  | "node"
  | "attribute"
  | "function"
  | "training"
  | "sparse"
  | "tensor";

/** Messages in messages, by their field numbers. */
const CHILDREN: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: {},
};
const TENSOR = { name: 8, external: 13, location: 14 } as const;
const ENTRY = { key: 1, value: 2 } as const;
/** `TensorProto.DEFAULT` and `TensorProto.EXTERNAL`: other numbers are cut to 32 bits by some readers. */
const [INSIDE, EXTERNAL] = [0, 1];
/** Graphs within the nodes of graphs. */
const MOST_NESTED = 64;

/** A field of a message: a number, or bytes from `begin` to before `end`. */
interface Field {
  readonly number: number;
  readonly value: number;
  readonly begin: number;
  readonly end: number;
}

/**
 * All tensors of a model with external data.
 * @throws {RangeError} saying at which byte it is no such message.
 */
export function externalTensors(bytes: Uint8Array): ExternalTensor[] {
  const found: ExternalTensor[] = [];
  const visit = (kind: Kind, begin: number, end: number, depth: number): void => {
    if (depth > MOST_NESTED) throw new RangeError(`nested too deep at byte ${begin}`);
    if (kind === "tensor") {
      const tensor = external(bytes, begin, end);
      if (tensor) found.push(tensor);
      return;
    }
    for (const field of fieldsOf(bytes, begin, end)) {
      const child = CHILDREN[kind][field.number];
      if (child) visit(child, field.begin, field.end, depth + 1);
    }
  };
  visit("model", 0, bytes.length, 0);
  return found;
}

function external(bytes: Uint8Array, begin: number, end: number): ExternalTensor | undefined {
  let name = "";
  let outside = false;
  const says = new Map<string, string>();
  for (const field of fieldsOf(bytes, begin, end)) {
    if (field.number === TENSOR.name) name = text(bytes, field);
    else if (field.number === TENSOR.location) {
      if (field.value !== INSIDE && field.value !== EXTERNAL) {
        throw new RangeError(`no place of data is numbered ${field.value}, at byte ${field.begin}`);
      }
      outside ||= field.value === EXTERNAL;
    } else if (field.number === TENSOR.external) {
      let [key, value] = ["", ""];
      for (const entry of fieldsOf(bytes, field.begin, field.end)) {
        if (entry.number === ENTRY.key) key = text(bytes, entry);
        if (entry.number === ENTRY.value) value = text(bytes, entry);
      }
      says.set(key, value);
    }
  }
  return outside ? { name, says } : undefined;
}

const text = (bytes: Uint8Array, { begin, end }: Field): string =>
  new TextDecoder().decode(bytes.subarray(begin, end));

function* fieldsOf(bytes: Uint8Array, begin: number, end: number): Generator<Field> {
  let at = begin;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      if (at >= end || scale > 2 ** 63) throw new RangeError(`a number is cut off at byte ${at}`);
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const start = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    let value = 0;
    let size = 0;
    switch (tag % 8) {
      case 0:
        value = varint();
        break;
      case 1:
        size = 8;
        break;
      case 2:
        size = varint();
        break;
      case 5:
        size = 4;
        break;
      default:
        throw new RangeError(`no field begins at byte ${start}`);
    }
    // Readers cut tags to 32 bits, so that a larger one is another field to them.
    if (tag >= 2 ** 32) throw new RangeError(`no field begins at byte ${start}`);
    if (number === 0 || at + size > end) {
      throw new RangeError(`a field is cut off at byte ${start}`);
    }
    yield { number, value, begin: at, end: at + size };
    at += size;
  }
}
