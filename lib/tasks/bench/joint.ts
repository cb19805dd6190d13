/** How far stages scheduled jointly with their experts are from the best order of any, on small worlds. @module */
import { loadsOf, wavesOfLoads, zipfRouting } from "../../routing/mod.ts";
import { compareJoint, type JointRow } from "../../studies/balancing/joint.ts";
import { testbed } from "../../testbeds/mod.ts";
import { hundredths, type Report } from "./report.ts";

const WORLDS = 16;
const EXPONENTS = [0.4, 0.8, 1.2];
const WAVES = 2;
/** Bytes of a token of 2048 values in bfloat16. */
const TOKEN_BYTES = 4096;

/** Mean and largest distance to the best known, of every decomposition and order. */
export function benchJoint(): Promise<Report> {
  const groups = new Map<string, JointRow[]>();
  let proven = 0;
  let searched = 0;
  for (let seed = 1; seed <= WORLDS; seed++) {
    for (const row of compareJoint(worldOf(seed))) {
      const key = `${row.decomposition}|${row.waves}|${row.order}`;
      groups.set(key, [...groups.get(key) ?? [], row]);
      if (row.order !== "exact") continue;
      searched++;
      proven += Number(row.proven);
    }
  }
  const rows = Array.from(groups.values(), (list) => {
    const [{ decomposition, waves, order }] = list;
    const over = list.map(({ overBest }) => overBest);
    return {
      ...{ decomposition, waves, order },
      meanOverBest: hundredths(over.reduce((a, b) => a + b, 0) / over.length),
      worstOverBest: hundredths(Math.max(...over)),
      best: over.filter((value) => value <= 1 + 1e-9).length,
      proven: list.filter((row) => row.proven).length,
    };
  });
  return Promise.resolve({
    configuration: {
      worlds: `${WORLDS} of 3 or 4 nodes x 1 or 2, h200-ib400`,
      routing: `Zipf ${EXPONENTS.join(", ")}, 4 experts a rank, top 2, 256 tokens of 4096 bytes`,
      work: "experts take 0.6 to 2.6 times as long as their bytes over the network",
      exact: `${proven} of ${searched} proven within 2 s each`,
    },
    rows,
  });
}

function worldOf(seed: number) {
  const [nodes, ranksPerNode] = [3 + seed % 2, 1 + (seed >> 1) % 2];
  const { topology } = testbed("h200-ib400", { nodes, ranksPerNode });
  const { ranks, processor, links } = topology;
  const trace = zipfRouting({
    ...{ ranks, tokens: 256, experts: 4 * ranks, topK: 2, seed },
    exponent: EXPONENTS[seed % EXPONENTS.length],
  });
  const traffic = wavesOfLoads(loadsOf(trace), { waves: WAVES, bytesPerToken: TOKEN_BYTES });
  const balanced = processor.flopRate * links.inter.beta;
  return { topology, traffic, flopsPerByte: balanced * (0.6 + 2 * (seed - 1) / (WORLDS - 1)) };
}
