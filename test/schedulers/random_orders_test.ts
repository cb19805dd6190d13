import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine, type Run, type Scheduler, type Task, topK } from "../../mod.ts";
import { generator } from "../alltoall/interleave.ts";

/** Any valid order: again and again one of the tasks whose dependencies are all done. */
function randomOrder(random: () => number): Scheduler {
  return {
    name: "random",
    order({ tasks }) {
      const left = new Set(tasks);
      const order: Task[] = [];
      while (left.size) {
        const ready = [...left].filter(({ after }) => after.every((id) => !left.has(tasks[id])));
        const task = ready[Math.floor(random() * ready.length)];
        left.delete(task);
        order.push(task);
      }
      return order;
    },
  };
}

/** Text of all bits of a pass's results. */
function bits({ output, auxLoss, gradients }: Run): string {
  const arrays = [output, auxLoss, ...Object.values(gradients ?? {})].filter((values) =>
    values !== undefined
  );
  return arrays.map((values) =>
    new TextDecoder("latin1").decode(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    )
  ).join("|");
}

Deno.test("1,000 random valid orders of one graph end, and give the same bits", async () => {
  const random = generator(11);
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, {
    tokens: 16,
    modelDim: 8,
    hiddenDim: 8,
    experts: 4,
    gate: topK({ k: 2 }),
  });
  const choices = {
    allToAll: "hierarchical2dPipelined",
    compressor: "fp16",
    chunks: 3,
    bound: false,
    timeLimit: 60,
  };
  const forward = bits(await layer.forward(choices));
  const backward = bits(await layer.backward(choices));
  assert(forward.length > 0 && backward.length > 0);
  const orders = new Set<string>();
  for (
    const [pass, expected, count] of [["forward", forward, 1000], [
      "backward",
      backward,
      300,
    ]] as const
  ) {
    for (let i = 0; i < count; i++) {
      const run = await layer[pass]({ ...choices, scheduler: randomOrder(random) });
      assertEquals(
        bits(run) === expected,
        true,
        `${pass} ${i}: ${run.ran[0].program.order.map(({ name }) => name)}`,
      );
      orders.add(pass + run.ran[0].program.order.map(({ id }) => id));
    }
  }
  assertEquals(orders.size, 1300);
});
