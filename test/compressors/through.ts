import { type Compressor, openEngine } from "../../mod.ts";
import { decodeRows, type ElementType, encodeRows } from "../../lib/kernels/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

/** decode(encode(rows)) of [rows, columns] values by the kernels of the CPU engine, on one rank. */
export async function throughCodec(
  codec: Compressor,
  values: Float32Array,
  columns: number,
  { tokens }: { tokens?: Int32Array; dtype?: ElementType } = {},
): Promise<Float32Array> {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const rows = values.length / columns;
  const blockBytes = codec.wireBytes({ rows, columns });
  const g = new GraphBuilder(engine.topology, "forward", 0);
  const sizes = { x: 4 * values.length, y: 4 * values.length, wire: blockBytes, tokens: 4 * rows };
  for (const [name, bytes] of Object.entries(sizes)) g.buffer(name, bytes, "state");
  const at = (buffer: string) => ({ buffer, offset: 0 });
  const wire = {
    codec: codec.native!,
    view: at("wire"),
    blocks: 1,
    groups: 1,
    rows,
    columns,
    blockBytes,
    ...(tokens ? { tokens: at("tokens") } : {}),
  };
  const rowsOf = (buffer: string) => ({ view: at(buffer), block: 0, group: 0, row: columns });
  const run = [encodeRows(rowsOf("x"), wire), decodeRows(rowsOf("y"), wire)];
  g.add({
    kind: "opaque",
    label: "code",
    chunk: -1,
    stage: 0,
    after: [],
    uses: Object.keys(sizes),
    kernels: () => run,
  });
  const graph = g.build({});
  const workspace = engine.workspace();
  workspace.ensure(graph.buffers);
  workspace.write("x", 0, values);
  if (tokens) workspace.write("tokens", 0, tokens);
  await engine.run(buildProgram(graph, graph.tasks, "test"), workspace);
  const out = new Float32Array(workspace.read("y", 0, 4 * values.length).slice().buffer);
  workspace.free();
  return out;
}
