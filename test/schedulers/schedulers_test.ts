import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { createLayer, manual, openEngine, SchemoeError, topK, topology } from "../../mod.ts";
import { hiddenFraction } from "../../lib/timeline/mod.ts";

const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) };
const open = (nodes = 2, ranksPerNode = 2) => openEngine({ kind: "simulate", nodes, ranksPerNode });
const names = (run: { ran: readonly { program: { order: readonly { name: string }[] } }[] }) =>
  run.ran[0].program.order.map(({ name }) => name).join(" ");

Deno.test("optSche follows Theorem 1 in the forward pass", async () => {
  using engine = open();
  const run = await createLayer(engine, config).forward({
    scheduler: "optSche",
    chunks: 2,
    compressor: "fp16",
  });
  assertEquals(
    names(run),
    "gate dispatch C1[0] A1[0] C1[1] A1[1] D1[0] E[0] C2[0] A2[0] D1[1] E[1] C2[1] A2[1] D2[0] D2[1] combine",
  );
});

Deno.test("optSche treats both expert gradients as the expert of the backward pass", async () => {
  using engine = open();
  const layer = createLayer(engine, config);
  await layer.forward();
  const run = await layer.backward({ scheduler: "optSche", chunks: 2 });
  assertEquals(
    names(run),
    "combine A1[0] A1[1] D1[0] Ei[0] Ew[0] C2[0] A2[0] D1[1] Ei[1] Ew[1] C2[1] A2[1] " +
      "gate grad.gate AR1 grad.gate sum grad.gate AR2 dispatch",
  );
});

Deno.test("sequential hides nothing, in both passes, with every all-to-all", async () => {
  using engine = open();
  const layer = createLayer(engine, config);
  for (const allToAll of ["linear", "pipe"]) {
    for (const chunks of [1, 3]) {
      const choices = { scheduler: "sequential", allToAll, chunks, compressor: "int8" };
      assertEquals(hiddenFraction((await layer.forward(choices)).timeline), 0);
      assertEquals(hiddenFraction((await layer.backward(choices)).timeline), 0);
    }
  }
});

Deno.test("optSche takes the time worked out by hand", async () => {
  // one rank a node, two nodes; alpha 0, no bytes but slices of 16 rows x 32 x 4 bytes = 2048 a chunk
  using engine = openEngine({
    kind: "simulate",
    topology: topology({
      nodes: 2,
      ranksPerNode: 1,
      local: { beta: 0 },
      inter: { alpha: 0, beta: 1 / 2048 },
      processor: { alpha: 0, flopRate: 2 * 16 * 4 * 32 * 64 / 2, byteRate: 1e21 },
    }),
  });
  const run = await createLayer(engine, {
    tokens: 32,
    modelDim: 32,
    hiddenDim: 64,
    experts: 2,
    gate: topK({ k: 2 }),
  })
    .forward({ scheduler: "optSche", chunks: 2 });
  // A1 1 s each at 0 and 1, E 2 s each at 1 and 3, A2 1 s each at 3 and 5 (and a gate of 1/64 s)
  const gate = 2 * 32 * 32 * 2 / (16 * 4 * 32 * 64);
  assertAlmostEquals(run.makespan, gate + 6, 1e-9);
});

Deno.test("manual() runs the order that is written down and names what it does not know", async () => {
  using engine = open(1, 2);
  const layer = createLayer(engine, { ...config, tokens: 16 });
  const order = ["gate", "dispatch", "A1[0]", "D1[0]", "E[0]", "C2[0]", "A2[0]", "combine"];
  assertEquals(names(await layer.forward({ scheduler: manual(order) })), order.join(" "));
  await assertRejects(
    () => layer.forward({ scheduler: manual([...order.slice(0, 7), "combined"]) }),
    SchemoeError,
    'none called "combined"',
  );
  await assertRejects(
    () => layer.forward({ scheduler: manual(order.slice(0, 7)) }),
    SchemoeError,
    "combine is missing",
  );
});
