/** Shared by the tables of bad inputs. */
import type { LayerConfig, MoeLayer, PassChoices } from "../../mod.ts";
import { createLayer, type Engine, openEngine } from "../../mod.ts";

/** A call that must fail, and what its error must say: what, where, and what is possible. */
export interface BadInput {
  readonly call: () => unknown;
  /** The error's message, or pieces of it in their order. */
  readonly says: string | readonly string[];
}

/** Bad inputs by their mistake. */
export type BadInputs = Readonly<Record<string, BadInput>>;

/** Any value where types would not let it. */
// deno-lint-ignore no-explicit-any
export const wrong = (value: unknown): any => value;

const base = { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2, routing: { capacityFactor: 2 } };

/** Calls a body with a small layer on 2 ranks of an engine of its own. */
export async function withLayer(
  config: Partial<LayerConfig>,
  body: (layer: MoeLayer, engine: Engine) => unknown,
  kind: "cpu" | "simulate" = "cpu",
): Promise<unknown> {
  using engine = kind === "cpu"
    ? openEngine({ kind, nodes: 1, ranksPerNode: 2, links: "plain" })
    : openEngine({ kind, nodes: 1, ranksPerNode: 2 });
  using layer = createLayer(engine, { ...base, ...config });
  return await body(layer, engine);
}

/** A forward pass with these choices. */
export const forward = (choices: object, config: Partial<LayerConfig> = {}) => () =>
  withLayer(config, (layer) => layer.forward({ bound: false, ...choices as PassChoices }));
