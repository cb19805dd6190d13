/** Memory of a layer's tensors on a rank. @module */
import { table as columns } from "arquero";
import { elements, type MemoryPlan, type TensorTable } from "../memory/mod.ts";
import { displayable, type MediaBundle } from "../timeline/chart/display.ts";
import { showHtml, showText } from "../timeline/chart/show.ts";
import { formatBytes } from "../timeline/table/format.ts";
import type { Life, TaskGraph } from "../types.ts";

/** One tensor or buffer. */
export interface MemoryRow {
  /** Name of the tensor. */
  readonly tensor: string;
  /** How long it is needed. */
  readonly life: Life;
  /** Shape over all ranks, empty for a buffer of bytes. */
  readonly shape: string;
  /** Bytes on each rank. */
  readonly bytes: number;
  /** Whether it lies in the memory that buffers within a pass share. */
  readonly shared: boolean;
}

/** A graph that has run, with the plan of a Program's memory. */
export interface PlannedGraph {
  readonly graph: TaskGraph;
  readonly plan: MemoryPlan;
}

/** Memory of a layer or a stack on one rank. As a cell's last value it shows itself as a table. */
export class MemoryReport {
  /** Largest first. */
  readonly rows: readonly MemoryRow[];
  /** Bytes a rank of buffers that share memory... */
  readonly shared: number;
  /** ...which side by side would take this. */
  readonly apart: number;
  /** Bytes a rank of everything. */
  readonly peak: number;
  /** The floor: most bytes in use at the same time. */
  readonly floor: number;

  /** Made by `layer.memory` and `model.memory`. */
  constructor(tensors: TensorTable, graphs: readonly PlannedGraph[]) {
    const found = new Map<string, MemoryRow>();
    for (const name of tensors.names("parameter", "input", "state")) {
      found.set(name, rowOf(tensors, name, tensors.localBytes(name), false));
    }
    for (const { graph, plan } of graphs) {
      for (const [name, bytes] of Object.entries(graph.buffers)) {
        const life = graph.lives?.[name] ?? "saved";
        const shared = plan.offsets.has(name);
        const before = found.get(name);
        // what has memory of its own in one graph has it while others put it where buffers share theirs
        if (before && (before.shared === shared ? bytes < before.bytes : shared)) continue;
        found.set(name, {
          ...(tensors.has(name)
            ? rowOf(tensors, name, bytes, shared)
            : { tensor: name, shape: "", bytes, shared }),
          life,
        });
      }
    }
    this.rows = [...found.values()].toSorted((a, b) => b.bytes - a.bytes);
    const most = (of: (plan: MemoryPlan) => number) =>
      graphs.reduce((sum, { plan }) => Math.max(sum, of(plan)), 0);
    this.shared = most(({ arena }) => arena);
    this.apart = most(({ apart }) => apart);
    const own = this.rows.reduce((sum, { bytes, shared }) => sum + (shared ? 0 : bytes), 0);
    this.peak = own + this.shared;
    this.floor = own + most(({ floor }) => floor);
  }

  /** Bytes a rank by life. */
  get lives(): Partial<Record<Life, number>> {
    const sums: Partial<Record<Life, number>> = {};
    for (const { life, bytes, shared } of this.rows) {
      if (!shared) sums[life] = (sums[life] ?? 0) + bytes;
    }
    if (this.shared) sums.pass = (sums.pass ?? 0) + this.shared;
    return sums;
  }

  /** The table as text. */
  toString(): string {
    return `${showText(this.#table())}\n${this.#summary()}`;
  }

  /** The table, for a notebook. */
  async [Symbol.for("Jupyter.display")](): Promise<MediaBundle> {
    const html = `<div>${showHtml(this.#table())}<div>${this.#summary()}</div></div>`;
    const shown = displayable({ text: `${this}`, html });
    return await shown[Symbol.for("Jupyter.display")]();
  }

  #summary(): string {
    const shares = Object.entries(this.lives).map(([life, bytes]) =>
      `${life} ${formatBytes(bytes)}`
    );
    return `peak ${formatBytes(this.peak)} a rank: ${shares.join(", ")}; ` +
      `within a pass ${formatBytes(this.apart)} share ${formatBytes(this.shared)}`;
  }

  #table() {
    const { rows } = this;
    return columns({
      tensor: rows.map(({ tensor }) => tensor),
      life: rows.map(({ life }) => life),
      shape: rows.map(({ shape }) => shape),
      bytes: rows.map(({ bytes }) => bytes),
      shared: rows.map(({ shared }) => shared ? "yes" : ""),
    });
  }
}

function rowOf(tensors: TensorTable, tensor: string, bytes: number, shared: boolean): MemoryRow {
  const { shape, dtype, life } = tensors.get(tensor);
  const text = elements(shape) === 1 ? dtype : `${dtype} [${shape.join(", ")}]`;
  return { tensor, life, shape: text, bytes, shared };
}
