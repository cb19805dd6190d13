/** The paper's systems, as their authors configure them. @module */
import type { PassChoices } from "../../layer/choices.ts";
import type { Compressor } from "../../compressors/types.ts";
import type { Method } from "./published.ts";

/** ZFP at a fixed rate of 8 bits a value; only its bytes count here, its time is that of memory traffic. */
const zfp: Compressor = {
  name: "ZFP, 8 bits a value",
  wireBytes: ({ rows, columns }) => rows * columns,
  encode: (values) => new Uint8Array(values.length),
  decode: (bytes) => new Float32Array(bytes.length),
};

/**
 * Choices among which a method takes the fastest: Tutel searches its degree and between the linear all-to-all
 * and 2DH. `sequential` would run the two phases of Pipe-A2A one after the other; with one chunk optSche only
 * joins them.
 */
export const METHODS: Readonly<Record<Method, readonly PassChoices[]>> = {
  Tutel: [1, 2, 4, 8].flatMap((chunks) =>
    ["linear", "hierarchical2d"].map((allToAll) => ({ scheduler: "tutel", allToAll, chunks }))
  ),
  FasterMoE: [{ scheduler: "fasterMoE", allToAll: "linear", chunks: 8 }],
  ScheMoE: [{ scheduler: "optSche", allToAll: "pipe", chunks: 2, compressor: zfp }],
  "ScheMoE-Z": [{ allToAll: "linear", compressor: zfp }],
  "ScheMoE-ZP": [{ scheduler: "optSche", allToAll: "pipe", chunks: 1, compressor: zfp }],
  Naive: [{ allToAll: "linear" }],
};
