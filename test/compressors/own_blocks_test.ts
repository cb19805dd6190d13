import { assert, assertEquals } from "@std/assert";
import { createLayer, expertWaves, openEngine, peerGroups, topK } from "../../mod.ts";
import type { LayerConfig, PassChoices, UnevenLayerConfig } from "../../mod.ts";
import type { Compressor, WireBlock } from "../../lib/compressors/mod.ts";

const HEAD = 8;

/** Rows as they are behind a head for each expert that has some: bytes that depend on the rows of each. */
function heads(): { readonly codec: Compressor; readonly asked: Set<string> } {
  const asked = new Set<string>();
  const known = (block: WireBlock) =>
    assert(asked.has(JSON.stringify(block)), `${JSON.stringify(block)} is not what was asked for`);
  const headsOf = ({ groups }: WireBlock) => HEAD * groups!.filter((rows) => rows > 0).length;
  const codec: Compressor = {
    name: "heads",
    grouped: true,
    wireBytes(block) {
      const { rows, columns, elementBytes, groups } = block;
      asked.add(JSON.stringify({ rows, columns, elementBytes, groups }));
      assertEquals(groups!.reduce((sum, n) => sum + n, 0), rows);
      return headsOf(block) + rows * columns * elementBytes!;
    },
    encode(values, block) {
      known(block);
      const { rows, columns, elementBytes } = block;
      const words = new Uint32Array(values.slice().buffer);
      const bytes = new Uint8Array(headsOf(block) + rows * columns * elementBytes!);
      const view = new DataView(bytes.buffer, headsOf(block));
      words.forEach((word, i) =>
        elementBytes === 2
          ? view.setUint16(2 * i, word >>> 16, true)
          : view.setUint32(4 * i, word, true)
      );
      return bytes;
    },
    decode(bytes, block) {
      known(block);
      const { rows, columns, elementBytes } = block;
      const view = new DataView(bytes.buffer, bytes.byteOffset + headsOf(block));
      const words = Uint32Array.from(
        { length: rows * columns },
        (_, i) =>
          elementBytes === 2 ? view.getUint16(2 * i, true) << 16 : view.getUint32(4 * i, true),
      );
      return new Float32Array(words.buffer);
    },
  };
  return { codec, asked };
}

const SIZES = { modelDim: 6, hiddenDim: 8, experts: 8, gate: topK({ k: 2 }) };
const EVEN = { ...SIZES, tokens: 16 };
const UNEVEN = { ...SIZES, tokens: [9, 0, 17, 4] };
const dropless = { routing: { dropless: true } };
const placement = {
  name: "copies",
  experts: 8,
  slots: [[0, 1, 7], [0, 2, 3], [4, 5], [6, 7, 4]],
};
const LAYERS: Record<string, LayerConfig | UnevenLayerConfig> = {
  padded: EVEN,
  "padded, uneven": UNEVEN,
  dropless: { ...EVEN, ...dropless },
  "dropless, uneven": { ...UNEVEN, ...dropless },
  "padded with copies": { ...UNEVEN, placement },
  "dropless with copies": { ...UNEVEN, ...dropless, placement },
  "groups of two ranks": { ...EVEN, parallel: { expert: 2 } },
  "dropless groups": { ...UNEVEN, ...dropless, parallel: { expert: 2 } },
  bfloat16: { ...EVEN, dtype: "bfloat16" },
  "dropless bfloat16": { ...UNEVEN, ...dropless, dtype: "bfloat16" },
};
const CHUNKS: Record<string, PassChoices["chunks"]> = {
  "one chunk": 1,
  slices: 3,
  waves: expertWaves(2),
  peers: peerGroups(2),
};

for (const [name, config] of Object.entries(LAYERS)) {
  Deno.test(`encode and decode of a codec in JavaScript get the block that wireBytes was asked for: ${name}`, async () => {
    using engine = openEngine({ nodes: 2, ranksPerNode: 2, links: "plain" });
    using layer = createLayer(engine, config);
    for (const [way, chunks] of Object.entries(CHUNKS)) {
      const passes = async (compressor: Compressor | string) => {
        const { output } = await layer.forward({ chunks, compressor, results: true });
        const { gradients } = await layer.backward({ chunks, compressor, results: true });
        return { output, gradients };
      };
      const { codec, asked } = heads();
      const plain = await passes("none");
      assertEquals(await passes(codec), plain, way);
      assert(asked.size > 0);
    }
  });
}
