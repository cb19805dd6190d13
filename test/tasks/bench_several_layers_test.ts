import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openEngine } from "../../lib/engines/mod.ts";
import { carrierOf, transportsOf } from "../../lib/tasks/bench/nccl_engine.ts";
import { benchSeveralLayers, reportOf } from "../../lib/tasks/bench/several_layers.ts";
import { SeveralPeer } from "../../lib/tasks/bench/several_peer.ts";
import { flopsOf, SEVERAL_SHAPES, shapesNamed } from "../../lib/tasks/bench/several_shapes.ts";
import { SchemoeError } from "../../lib/types.ts";

const RANKS = 2;
/** Debian's, where python3-torch is installed. */
const PYTHON = "/usr/bin/python3";
const FEW = { repetitions: 2, warm: 0 };
const tiny = { name: "tiny", tokens: 40, modelDim: 32, hiddenDim: 48, experts: 8, topK: 2 };

const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: RANKS, links: "plain" });

async function hasTorch(): Promise<boolean> {
  const imported = new Deno.Command(PYTHON, {
    args: ["-c", "import torch, numpy"],
    ...{ stdout: "null", stderr: "null" },
  }).output();
  return await imported.then(({ success }) => success, () => false);
}

Deno.test("carrierOf() names all transports apart; one GPU has nothing for copy engines", () => {
  const carriers = (...devices: number[]) => transportsOf({ devices }).map(carrierOf);
  assertEquals(carriers(0, 1), ["NCCL", "copies by kernels", "copy engines"]);
  assertEquals(carriers(0, 0), ["NCCL", "copies by kernels"]);
});

Deno.test("reportOf() has a line for each carrier and schedule, and what failed says so", async () => {
  const broken = () => {
    throw new SchemoeError("no such carrier");
  };
  const { configuration, rows } = await reportOf({ ...tiny, dtype: "float32" }, {
    carriers: { broken, plain: open },
    ranks: RANKS,
    first: FEW,
    later: FEW,
  });
  assertEquals(configuration.world, "1 x 2");
  const [first, ...others] = rows;
  assertEquals(first, { shape: "tiny", carrier: "broken", failure: "no such carrier" });
  assertEquals(others.map(({ schedule }) => schedule), [
    "sequential, 1 chunk",
    "criticalPath, 1 chunk",
    "optSche, 2 chunks of tokens",
    "optSche, 2 waves of experts",
    "optSche, 4 waves of experts",
    "criticalPath, 2 waves of experts",
  ]);
  for (const row of others) {
    assertEquals([row.shape, row.carrier, row.failure], ["tiny", "plain", undefined]);
    const { forward, forwardBound, forwardProducts, forwardTransfers } = row;
    assert(Number(forward) > 0 && Number(forwardProducts) > 0 && Number(forwardTransfers) > 0);
    assertEquals(forwardBound, Math.max(Number(forwardProducts), Number(forwardTransfers)));
    assert(Number(row.forwardWall) > 0 && Number(row.backwardWall) > 0 && Number(row.TFLOPs) >= 0);
  }
  const [alone] = others;
  assertEquals([alone.forwardHidden, alone.backwardHidden], [0, 0]);
  assert(/^gate \S+, .*\bE \S+/.test(String(alone.forwardParts)), `${alone.forwardParts}`);
});

Deno.test("schedules that need more experts than a rank has are left out", async () => {
  const few = { ...tiny, experts: 4, dtype: "float32" } as const;
  const carriers = { plain: open };
  const { rows } = await reportOf(few, { carriers, ranks: RANKS, first: FEW, later: FEW });
  assertEquals(rows.filter(({ schedule }) => String(schedule).includes("4 waves")), []);
  assertEquals(rows.length, 5);
});

Deno.test("PyTorch's layer over processes has our outputs and gradients", async (t) => {
  const ignore = !await hasTorch();
  for (const [dtype, tolerance] of [["float32", 2e-6], ["bfloat16", 2e-2]] as const) {
    await t.step({
      name: dtype,
      ignore,
      fn: async () => {
        const folder = await Deno.makeTempDir();
        try {
          const options = { folder, ranks: RANKS, device: "cpu", python: PYTHON } as const;
          await using peer = new SeveralPeer(options);
          const carriers = { plain: open };
          const { configuration, rows } = await reportOf({ ...tiny, dtype }, {
            ...{ carriers, peer, ranks: RANKS, first: FEW, later: FEW },
          });
          assertEquals(configuration.torchFailure, undefined);
          assertEquals(configuration.flippedTokens, 0);
          assert(Number(configuration.largestError) < tolerance, `${configuration.errors}`);
          for (const name of ["y", "grad.x", "grad.gate.weight", "grad.experts.w2"]) {
            assert(String(configuration.errors).includes(`${name} `), name);
          }
          assert(rows.every(({ overEager }) => Number(overEager) > 0));
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      },
    });
  }
});

Deno.test("PyTorch that fails leaves our times", async () => {
  const folder = await Deno.makeTempDir();
  await using peer = new SeveralPeer({ folder, ranks: RANKS, device: "cpu", python: "false" });
  const { configuration, rows } = await reportOf({ ...tiny, dtype: "float32" }, {
    ...{ carriers: { plain: open }, peer, ranks: RANKS, first: FEW, later: FEW },
  });
  await Deno.remove(folder, { recursive: true });
  assert(/PyTorch's rank [01] has ended/.test(String(configuration.torchFailure)));
  assertEquals(rows.length, 6);
});

Deno.test("layers over several GPUs are named, and need two", async () => {
  assertEquals(shapesNamed(undefined), SEVERAL_SHAPES);
  assertEquals(shapesNamed(["mixtral", "qwen3"]).map(({ experts }) => experts), [8, 128]);
  assertThrows(
    () => shapesNamed(["gpt"]),
    SchemoeError,
    'Unknown shape "gpt": choose from qwen3, deepseek, mixtral',
  );
  // 8,192 tokens to 8 experts of three products of 2048 x 768
  assertEquals(flopsOf(SEVERAL_SHAPES[0], 1), 2 * 3 * 8192 * 8 * 2048 * 768);
  const reports = benchSeveralLayers({ gpus: 1 })[Symbol.asyncIterator]();
  await assertRejects(() => reports.next() as Promise<unknown>, SchemoeError, "give --gpus 2");
});
