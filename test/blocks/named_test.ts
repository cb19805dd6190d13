import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, createModel, type LayerConfig, openEngine, SchemoeError } from "../../mod.ts";
import { load, noisyTopK } from "../../lib/blocks/mod.ts";
import * as experts from "../../lib/blocks/experts/mod.ts";
import { expertByName, EXPERTS } from "../../lib/blocks/resolve_expert.ts";

const sizes = { tokens: 8, modelDim: 4, hiddenDim: 4, experts: 2 };
const simulator = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
const make = (config: Partial<LayerConfig>) => createLayer(simulator, { ...sizes, ...config });
const refused = (config: Partial<LayerConfig>, text: string) =>
  assertThrows(() => make(config), SchemoeError, text);

Deno.test("every expert that needs no options is taken by its name: in layers, beside them, in models", () => {
  assert(EXPERTS.includes("swiglu") && !EXPERTS.includes("onnx"), `${EXPERTS}`);
  for (const name of EXPERTS) {
    const { name: caption } = expertByName(name)!;
    const { layer } = make({ expert: name, shared: { hiddenDim: 4, expert: name } });
    assertEquals([layer.expert.name, layer.shared!.expert.name], [caption, caption]);
    const { shape } = createModel(simulator, {
      ...{ vocabulary: 8, context: 4, batch: 1, modelDim: 8, attention: { heads: 2 } },
      layers: [{ ffn: { hiddenDim: 4, expert: name } }, {
        moe: { experts: 2, hiddenDim: 4, expert: name },
      }],
    });
    const [dense, sparse] = shape.layers;
    assert("ffn" in dense && "moe" in sparse);
    assertEquals([dense.ffn.expert.name, sparse.moe.expert.name], [caption, caption]);
  }
  const made = Object.values(experts).filter((make) => make.length === 0);
  assertEquals(made.length, EXPERTS.length);
});

Deno.test("a name that is no gate, or that needs options, is refused with what to write", () => {
  refused({ gate: "linearLogits" }, '"linearLogits" makes logits, not a gate');
  refused({ gate: "hashed" }, 'the gate "hashed" is made with options; call it');
  const { message } = refused({ gate: "top" }, 'unknown gate "top", choose one of expertChoice');
  assert(message.includes("topK") && !message.includes("Logits"), message);
  refused({ expert: "onnx" }, 'the expert "onnx" is made with options; call it');
  refused({ expert: "swiglue" }, 'did you mean "swiglu"?');
});

Deno.test("the loss load is refused for as many experts as k, when the layer is made", () => {
  const losses = [load({ weight: 0.1 })];
  make({ gate: noisyTopK({ k: 1 }), losses });
  refused({ gate: noisyTopK({ k: 2 }), losses }, "needs an expert that a token does not choose: k");
  make({ gate: noisyTopK({ k: 2, identities: 1 }), losses });
});
