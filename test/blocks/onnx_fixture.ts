/** ONNX models of one Relu, written by hand: no package for that is needed. */

/** Which model; default: one float32 input x0 [n, 4], output y = relu(x0). */
export interface ModelShape {
  readonly inputs?: number;
  /** Number of `TensorProto.DataType`; 1 is float32, 11 float64. */
  readonly type?: number;
  readonly shape?: readonly (number | string)[];
}

/** Bytes of a model (protocol buffers: onnx.proto, IR version 8, operator set 13). */
export function onnxModel({ inputs = 1, type = 1, shape = ["n", 4] }: ModelShape): Uint8Array {
  const names = Array.from({ length: inputs }, (_, i) => `x${i}`);
  const dimensions = shape.map((size) =>
    message(1, typeof size === "number" ? varint(1, size) : text(2, size))
  );
  const tensor = message(1, varint(1, type), message(2, ...dimensions));
  const value = (field: number, name: string) => message(field, text(1, name), message(2, tensor));
  const node = message(1, text(1, "x0"), text(2, "y"), text(3, "relu"), text(4, "Relu"));
  const graph = [node, text(2, "g"), ...names.map((name) => value(11, name)), value(12, "y")];
  const bytes = [varint(1, 8), message(7, ...graph), message(8, text(1, ""), varint(2, 13))];
  return Uint8Array.from(bytes.flat());
}

function base128(value: number): number[] {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return [...bytes, value];
}

const varint = (field: number, value: number): number[] => [8 * field, ...base128(value)];

const message = (field: number, ...parts: number[][]): number[] => {
  const body = parts.flat();
  return [...base128(8 * field + 2), ...base128(body.length), ...body];
};

const text = (field: number, value: string): number[] =>
  message(field, [...new TextEncoder().encode(value)]);
