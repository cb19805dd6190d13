/** Whether what a pass was given held a NaN or an infinity before it computed one. @module */
import type { Workspace } from "../engine.ts";
import { elementSize, type TensorTable } from "../memory/mod.ts";
import { Status } from "../native/status.ts";
import { SchemoeError } from "../types.ts";
import { decodedAs } from "./transfer.ts";

/** Bytes that are read at a time, a multiple of every element. */
const PIECE = 1 << 22;

/** Where the tensors of a pass lie. */
interface Given {
  readonly workspace: Workspace;
  readonly table: TensorTable;
  readonly written: (name: string) => boolean;
}

/** The error of a pass, which for a number that is not finite names the parameter or input with such a number. */
export async function withSource(error: unknown, given: Given): Promise<unknown> {
  if (!(error instanceof SchemoeError && error.status === Status.notFinite)) return error;
  const { table, written } = given;
  for (const life of ["parameter", "state", "input"] as const) {
    for (const name of table.names(life)) {
      const found = written(name) && await firstOf(given, name);
      if (!found) continue;
      const { rank, element, value } = found;
      const { status } = error;
      return new SchemoeError(
        `${error.message}; ${life} "${name}" held ${value} before, at element ${element} on rank ${rank}`,
        { status, rank: error.rank, cause: error },
      );
    }
  }
  return error;
}

/** The first number of a tensor that is not finite, counted among those of its rank. */
async function firstOf({ workspace, table }: Given, name: string) {
  const { dtype } = table.get(name);
  if (dtype === "int32") return undefined;
  const size = elementSize(dtype);
  for (let rank = 0; rank < table.ranks; rank++) {
    const bytes = size * table.elementsOn(name, rank);
    for (let begin = 0; begin < bytes; begin += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, bytes - begin));
      await workspace.readAsync(name, rank, piece, begin);
      const values = decodedAs(dtype, piece);
      const at = values.findIndex((value) => !Number.isFinite(value));
      if (at < 0) continue;
      return { rank, element: begin / size + at, value: values[at] };
    }
  }
}
