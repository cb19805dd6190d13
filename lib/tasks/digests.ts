/**
 * `deno task digests`: hashes of the results of the reference cases under every all-to-all and codec, split in
 * four ways, against the list in `test/golden/digests.tsv`; `-- --write` makes the list anew.
 *
 * The list belongs to one set of kernels of the matrix library (its first line names it): on another
 * processor results differ in the last bits, and only the columns' agreement with each other is checked.
 * @module
 */
import { type GoldenCase, parseGolden, runGolden } from "../studies/golden.ts";
import { BUILT_IN } from "../layer/mod.ts";
import { capacitySlices, peerGroups } from "../chunking/mod.ts";
import { openEngine } from "../engines/mod.ts";
import { blasCore } from "../native/library.ts";
import { goldenDigest } from "./verify/golden_digest.ts";

const FOLDER = new URL("../../test/golden/", import.meta.url);
const LIST = new URL("digests.tsv", FOLDER);

/** Codecs that are run under every all-to-all, one for each kind of block; the others under one. */
const EVERYWHERE = ["none", "fp16", "bf16", "int8", "zfp"];

/** Ways to split a pass. */
const CHUNKINGS = [capacitySlices(1), capacitySlices(2), capacitySlices(3), peerGroups(2)];

function cases(): GoldenCase[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".safetensors")).sort()
    .map((name) => parseGolden(Deno.readFileSync(new URL(name, FOLDER)), name));
}

/** One line for each case, chunking, codec and all-to-all: hash of the forward and of the backward pass. */
async function digestLines(): Promise<string[]> {
  const lines: string[] = [];
  for (const golden of cases()) {
    const { ranks } = golden;
    const nodes = ranks % 2 === 0 ? 2 : 1;
    using engine = openEngine({
      kind: "cpu",
      nodes,
      ranksPerNode: ranks / nodes,
      links: "plain",
    });
    for (const chunks of CHUNKINGS) {
      for (const compressor of BUILT_IN.compressor) {
        const known = EVERYWHERE.includes(compressor) ? BUILT_IN.allToAll : ["linear"];
        for (const allToAll of known) {
          const results = await runGolden(engine, golden, { chunks, compressor, allToAll });
          const pass = (backward: boolean) =>
            goldenDigest(
              new Map([...results].filter(([name]) => name.startsWith("grad.") === backward)),
            );
          const hashes = [await pass(false), await pass(true)];
          lines.push([golden.name, chunks.name, compressor, allToAll, ...hashes].join("\t"));
        }
      }
    }
  }
  return lines;
}

/** Name of the matrix library's kernels, which differ in bits. */
const machine = (): string => `# ${blasCore()}`;

/** Case, chunking, codec and all-to-all of a line. */
const choicesOf = (line: string): string => line.split("\t", 4).join("\t");

/** Same case, chunking and codec: the all-to-all must not change a bit. */
function disagreements(lines: readonly string[]): string[] {
  const seen = new Map<string, string>();
  return lines.filter((line) => {
    const [golden, chunks, codec, , ...hashes] = line.split("\t");
    const key = [golden, chunks, codec].join("\t");
    const before = seen.get(key) ?? hashes.join();
    seen.set(key, before);
    return before !== hashes.join();
  });
}

if (import.meta.main) {
  const lines = await digestLines();
  const odd = disagreements(lines);
  const text = [machine(), ...lines, ""].join("\n");
  let changed: string[] = [];
  if (Deno.args.includes("--write")) Deno.writeTextFileSync(LIST, text);
  else {
    const [first, ...kept] = Deno.readTextFileSync(LIST).trimEnd().split("\n");
    if (first === machine()) {
      const known = new Set(kept);
      const listed = new Set(kept.map(choicesOf));
      const now = new Set(lines);
      changed = [
        ...kept.filter((line) => !now.has(line)).map((line) => `- ${line}`),
        ...lines.filter((line) => !known.has(line) && listed.has(choicesOf(line)))
          .map((line) => `+ ${line}`),
      ];
      const added = lines.filter((line) => !listed.has(choicesOf(line))).length;
      if (added) console.log(`${added} runs are not in the list yet: -- --write adds them`);
    } else console.log(`the list is of another machine (${first}): bits are not compared with it`);
  }
  for (const line of [...odd, ...changed].slice(0, 40)) console.log(line);
  console.log(
    `${lines.length} runs: ${odd.length} that an all-to-all changed, ${changed.length} lines changed`,
  );
  if (odd.length + changed.length) Deno.exit(1);
}
