/** Codecs of the CUDA engine beside a copy that moves as many bytes. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import { decodeRows, encodeRows } from "../../kernels/mod.ts";
import * as compressors from "../../compressors/mod.ts";
import type { Workspace } from "../../engine.ts";
import { at, copyBytes, REPETITIONS, timeOf, world } from "./gpu_rate.ts";
import { hundredths, type Report, type Row } from "./report.ts";

const MIB = 1 << 20;
const COLUMNS = 4096;
const DTYPES = ["float32", "bfloat16"] as const;

/** The built-in codecs. */
const codecs = Object.values(compressors).filter((codec) => typeof codec === "object");

/**
 * Encoding and decoding of rows of 4096 normal columns. `mib` is the size of the rows; `tbs` counts rows and wire;
 * `ofCopy` is the time of a copy that reads and writes as many bytes in all, of half of them, over the codec's.
 */
export async function benchGpuCodecs(): Promise<Report> {
  using engine = openCudaEngine({ topology: world });
  const rows: Row[] = [];
  for (const mib of [64, 256, 1024]) {
    const workspace = engine.workspace();
    workspace.ensure({ a: mib * MIB, b: mib * MIB, c: mib * MIB });
    for (const dtype of DTYPES) {
      const elementBytes = dtype === "float32" ? 4 : 2;
      const lines = (mib * MIB) / (COLUMNS * elementBytes);
      fillNormal(workspace, mib, dtype);
      for (const { name, native, wireBytes } of codecs) {
        const blockBytes = wireBytes({ rows: lines, columns: COLUMNS, elementBytes });
        const wire = {
          codec: native!,
          blocks: 1,
          groups: 1,
          rows: lines,
          columns: COLUMNS,
          view: at("b"),
          blockBytes,
        };
        const rowsIn = (buffer: string) => ({
          dtype,
          view: at(buffer),
          block: 0,
          group: 0,
          row: COLUMNS,
        });
        const bytes = mib * MIB + blockBytes;
        const copy = await timeOf(engine, workspace, copyBytes(16 * Math.floor(bytes / 32)));
        const row = {
          codec: name,
          dtype,
          mib,
          bitsAValue: hundredths(8 * blockBytes / lines / COLUMNS),
        };
        const kernels = {
          encode: encodeRows(rowsIn("a"), wire),
          decode: decodeRows(rowsIn("c"), wire),
        };
        for (const [way, kernel] of Object.entries(kernels)) {
          const time = await timeOf(engine, workspace, kernel);
          rows.push({
            way,
            ...row,
            tbs: hundredths(bytes / time / 1e3),
            ofCopy: hundredths(copy / time),
          });
        }
      }
    }
    workspace.free();
  }
  return { configuration: { columns: COLUMNS, repetitions: REPETITIONS }, rows };
}

/** Normal values into `a`, a MiB of them again and again: the speed of a codec may depend on its input. */
function fillNormal(workspace: Workspace, mib: number, dtype: typeof DTYPES[number]): void {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const floats = Float32Array.from({ length: MIB / 4 }, normal);
  const bits = new Uint32Array(floats.buffer);
  const values = dtype === "float32"
    ? floats
    : Uint16Array.from({ length: MIB / 2 }, (_, i) => bits[i % bits.length] >>> 16);
  for (let i = 0; i < mib; i++) workspace.write("a", 0, values, i * MIB);
}
