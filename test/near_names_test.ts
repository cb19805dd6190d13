import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import * as lab from "../mod.ts";
import { tune } from "../lib/adaptive/mod.ts";
import * as blocks from "../lib/blocks/mod.ts";
import * as compressors from "../lib/compressors/mod.ts";
import * as kernels from "../lib/kernels/mod.ts";
import * as timeline from "../lib/timeline/mod.ts";
import { exactSchedule } from "../lib/schedulers/mod.ts";
import { theorem1Losses } from "../lib/studies/mod.ts";
import { SchemoeError } from "../lib/types.ts";

const simulator = lab.openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
const sizes = { tokens: 64, modelDim: 16, hiddenDim: 16, experts: 4 };
const layer = lab.createLayer(simulator, sizes);
const world = (fields: object) => () => lab.topology({ nodes: 2, ranksPerNode: 2, ...fields });
const make = (fields: object) => () => lab.createLayer(simulator, { ...sizes, ...fields });
const engine = (fields: object) => () =>
  lab.openEngine({ nodes: 1, ranksPerNode: 2, ...fields } as never);
const forward = (fields: object) => () => layer.forward(fields as never);
const any = (value: unknown) => value as never;

/** Names that are near to one there is: what was written, and what was meant. */
const NEAR: Readonly<Record<string, readonly [() => unknown, string]>> = {
  "a field of a world": [world({ node: 2 }), "nodes"],
  "a field of a link": [world({ inter: { bandwith: "50 GB/s" } }), "bandwidth"],
  "a field of a processor": [world({ processor: { flops: "989 TFLOP/s" } }), "flopRate"],
  "a testbed": [() => lab.testbed("h100"), "h100-ib400"],
  "a kind of engine": [engine({ kind: "simulator" }), "simulate"],
  "an option of an engine": [engine({ kind: "cpu", link: "plain" }), "links"],
  "links": [engine({ kind: "cpu", links: "Plain" }), "plain"],
  "a transport": [engine({ kind: "cuda", transport: "ncll" }), "nccl"],
  "a field of a layer": [make({ hiddenDims: 4 }), "hiddenDim"],
  "a gate": [make({ gate: "topk" }), "topK"],
  "a field of the routing": [make({ routing: { droples: true } }), "dropless"],
  "a tensor to set": [() => layer.set({ "expert.w1": new Float32Array(1) }), "experts.w1"],
  "a tensor to get": [() => layer.get("gate.wieght"), "gate.weight"],
  "a field of parallel": [make({ parallel: { experts: 2 } }), "expert"],
  "a field of a shared expert": [make({ shared: { hiddenDims: 8 } }), "hiddenDim"],
  "an option of a gate": [() => lab.topK(any({ normalise: true })), "normalize"],
  "an option of an expert": [() => lab.ffn(any({ activations: "gelu" })), "activation"],
  "an activation": [() => lab.ffn(any({ activation: "GELU" })), "gelu"],
  "an option of an optimizer": [() => blocks.adamw(any({ weight_decay: 0 })), "weightDecay"],
  "an option of sgd": [() => blocks.sgd(any({ momentums: 0 })), "momentum"],
  "an option of a norm": [() => blocks.rmsNorm(any({ epsilons: 0 })), "epsilon"],
  "scores": [() => kernels.scoresCode(any("sigmoids")), "sigmoid"],
  "a scheduler": [forward({ scheduler: "optsche" }), "optSche"],
  "an all-to-all": [forward({ allToAll: "Hierarchical2D" }), "hierarchical2d"],
  "a codec": [forward({ compressor: "FP16" }), "fp16"],
  "an option of a pass": [forward({ alltoall: "pipe" }), "allToAll"],
  "another word for an option": [forward({ codec: "fp16" }), "compressor"],
  "a task of a manual order": [forward({ scheduler: lab.manual(["Gate"]) }), "gate"],
  "an option of the exact search": [
    () => exactSchedule(any({}), any({}), any({ timelimit: 1 })),
    "timeLimit",
  ],
  "an option of a what-if": [
    () => lab.whatIf(any(layer), any({ very: "chunks", values: [1] })),
    "vary",
  ],
  "a pass of a what-if": [
    () => lab.whatIf(any(layer), any({ vary: "chunks", values: [1], pass: "forwards" })),
    "forward",
  ],
  "what varies": [
    () => lab.whatIf(any(layer), { vary: "interBandwidth", values: [1] }),
    "inter.bandwidth",
  ],
  "an option of sampled losses": [
    () => theorem1Losses(any({ chunk: [2] })),
    "chunks",
  ],
  "an option of a picture": [
    async () => await (await layer.forward()).svg(any({ them: 1 })),
    "theme",
  ],
  "an option of a trace": [
    async () => await (await layer.forward()).trace(undefined, any({ arrow: 1 })),
    "arrows",
  ],
  "an option of a report": [
    async () => lab.report([await layer.forward()], any({ titel: "x" })),
    "title",
  ],
  "an option of a comparison": [
    async () => lab.compare([await layer.forward()], any({ rank: [0] })),
    "ranks",
  ],
  "an option of an import": [() => timeline.fromChromeTrace("[]", any({ rank: [0] })), "ranks"],
};

Deno.test("a name that is near to one there is gets the question whether that was meant", async (t) => {
  for (const [what, [act, meant]] of Object.entries(NEAR)) {
    await t.step(what, async () => {
      const { message } = await assertRejects(async () => await act(), SchemoeError);
      assertStringIncludes(message, `did you mean "${meant}"?`);
    });
  }
});

Deno.test("a field that belongs into another gets the question whether that was meant", async () => {
  const heads = () =>
    lab.createModel(simulator, any({ vocabulary: 8, context: 4, batch: 1, modelDim: 8, heads: 2 }));
  const asked = async (act: () => unknown) =>
    (await assertRejects(async () => await act(), SchemoeError)).message;
  assertStringIncludes(await asked(heads), "did you mean attention: { heads }?");
  assertStringIncludes(
    await asked(() => tune(layer, any({ seconds: 4 }))),
    "did you mean budget: { seconds }?",
  );
});

Deno.test("what is text is in quotes in every message", async (t) => {
  const texts: Readonly<Record<string, () => unknown>> = {
    "a size": make({ tokens: "4" }),
    "losses": make({ losses: "4" }),
    "the weight of a loss": () => blocks.gshard(any({ weight: "4" })),
    "a layer": () => lab.createLayer(simulator, any("4")),
    "an engine": () => lab.openEngine(any("4")),
    "parallel": make({ parallel: "4" }),
    "a number of parallel": make({ parallel: { expert: "4" } }),
    "a field that moved": make({ priority: "4" }),
    "shared": make({ shared: { hiddenDim: "4" } }),
    "chunks": forward({ chunks: "4" }),
    "repeats": forward({ repeats: "4" }),
    "a bound": forward({ bound: "4" }),
    "results": forward({ results: "4" }),
    "a time limit": forward({ timeLimit: "4" }),
    "a signal": forward({ signal: "4" }),
    "a seed": () => lab.createLayer(simulator, sizes, any({ seed: "4" })),
    "nodes": world({ nodes: "4" }),
    "a link": world({ inter: "4" }),
    "a bandwidth": world({ inter: { bandwidth: "4" } }),
    "a momentum": () => blocks.sgd(any({ momentum: "4 " })),
    "a parameter of a codec": () => compressors.fixedRateZfp(any({ rate: "4" })),
    "an oversubscription": world({ spine: { oversubscription: "4" } }),
    "a speed": world({ speed: ["4", 1, 1, 1] }),
    "a contention": world({ contention: { compute: "4" } }),
    "a rank to draw": async () => await (await layer.forward()).svg(any({ ranks: ["4"] })),
    "a width": async () => await (await layer.forward()).svg(any({ width: "4" })),
    "a scale": async () => await (await layer.forward()).png(any({ scale: "4" })),
    "arrows": async () => await (await layer.forward()).trace(undefined, any({ arrows: "4" })),
    "ranks of a node": () => timeline.fromChromeTrace("[]", any({ ranksPerNode: "4" })),
    "a total": () => timeline.progress(any("4"), "x"),
    "k of a gate": make({ gate: lab.topK(any({ k: "4" })) }),
  };
  for (const [what, act] of Object.entries(texts)) {
    await t.step(what, async () => {
      const { message } = await assertRejects(async () => await act(), SchemoeError);
      assertEquals(/"4 ?"/.test(message), true, message);
    });
  }
});
