/** Memory traffic of coding is of the rows as they are and as they are encoded, however rows are laid out. */
import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine, topK } from "../../mod.ts";
import { expertWaves } from "../../lib/chunking/mod.ts";
import type { PassChoices } from "../../lib/layer/mod.ts";

/** Equal loads fill the places of a padded layer, and blocks are whole multiples of 16 bytes. */
const SIZES = { tokens: 64, modelDim: 32, hiddenDim: 16, experts: 8, gate: topK({ k: 2 }) };
const RAW = SIZES.tokens * 2 * SIZES.modelDim * 4;

async function codedBytes(routing: object, choices: PassChoices): Promise<number[]> {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  using layer = createLayer(engine, { ...SIZES, routing });
  const { ran } = await layer.forward(choices);
  return ran.at(-1)!.program.graph.tasks
    .filter(({ kind }) => kind === "compress" || kind === "decompress")
    .map(({ bytes }) => bytes);
}

for (const [compressor, coded] of [["fp16", RAW / 2], ["zfp", RAW / 4]] as const) {
  Deno.test(`${compressor} reads or writes rows of 4 bytes a value without padding too`, async () => {
    const padded = await codedBytes({ capacityFactor: 1 }, { compressor });
    assert(padded.length > 0);
    for (const bytes of padded) assertEquals(bytes, RAW + coded);
    const dropless = { dropless: true };
    assertEquals(await codedBytes(dropless, { compressor }), padded);
    const waves = await codedBytes(dropless, { compressor, chunks: expertWaves(2) });
    assertEquals(waves.length, 2 * padded.length);
    for (const bytes of waves) assertEquals(bytes, (RAW + coded) / 2);
  });
}
