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

const varint = (field: number, value: number): number[] => [
  ...base128(8 * field),
  ...base128(value),
];

const message = (field: number, ...parts: number[][]): number[] => {
  const body = parts.flat();
  return [...base128(8 * field + 2), ...base128(body.length), ...body];
};

const text = (field: number, value: string): number[] =>
  message(field, [...new TextEncoder().encode(value)]);

/** What a model says of the file in which its weights lie. */
export interface ExternalWeights {
  /** `location`, `offset`, `length`; anything that a file may hold. */
  readonly says: Readonly<Record<string, string>>;
  /** In a graph of an attribute instead of the model's own, where no runtime needs it. */
  readonly nested?: boolean;
  /** Number of the place of the data, 1 by default: `EXTERNAL`. */
  readonly place?: number;
  /** Added to the tag of the graph. */
  readonly tag?: number;
}

/** A model of one product: y = x0 @ w, with w [4, 4] in a file. */
export function externalModel(
  { says, nested = false, place = 1, tag = 0 }: ExternalWeights,
): Uint8Array {
  const weights = [
    varint(1, 4),
    varint(1, 4),
    varint(2, 1),
    text(8, "w"),
    ...Object.entries(says).map(([key, value]) => message(13, text(1, key), text(2, value))),
    varint(14, place),
  ];
  const type = message(
    1,
    varint(1, 1),
    message(2, message(1, text(2, "n")), message(1, varint(1, 4))),
  );
  const value = (field: number, name: string) => message(field, text(1, name), message(2, type));
  const node = [text(1, "x0"), text(1, "w"), text(2, "y"), text(3, "product"), text(4, "MatMul")];
  const inner = message(5, text(1, "body"), message(6, message(5, ...weights)), varint(20, 5));
  const graph = [
    message(1, ...node, ...(nested ? [inner] : [])),
    text(2, "g"),
    ...(nested ? [] : [message(5, ...weights)]),
    value(11, "x0"),
    value(12, "y"),
  ];
  const model = [message(7 + tag / 8, ...graph), message(8, text(1, ""), varint(2, 13))];
  const bytes = [varint(1, 8), ...model];
  return Uint8Array.from(bytes.flat());
}
