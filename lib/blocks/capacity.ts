/** How many places an expert has for the tokens of one rank. @module */
import { aCount, aNumber, aSize, expect, record, something } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import type { Layer } from "./layer_config.ts";

const A_GATED_LAYER = record("a resolved layer, such as resolveLayer(config, topology)", {
  gate: something,
  tokens: aSize,
  experts: aCount,
});

/** True when the capacity depends on the routing, so that a pass takes two Programs. */
export function routedCapacity(layer: Layer): boolean {
  expect("routedCapacity", "layer", layer, A_GATED_LAYER);
  return layer.dropless || (layer.capacityFactor <= 0 && !layer.gate.capacity);
}

/** Places that positions of 32 bits can name. */
const MOST_PLACES = 2 ** 31 - 1;

/**
 * Places of an expert for the tokens of one rank.
 * @param largestLoad most choices of one expert on any rank; used when the factor is 0 or negative.
 * @throws {SchemoeError} when it comes to 0, which would drop every token, or to more than a position can name.
 */
export function capacity(layer: Layer, largestLoad: number): number {
  expect("capacity", "layer", layer, A_GATED_LAYER);
  expect("capacity", "largestLoad", largestLoad, aNumber);
  const { capacityFactor: factor, capacityAlignment: alignment, gate, tokens, experts } = layer;
  const own = gate.capacity?.({ ...layer, rows: layer.gateRows });
  const limit = gate.k * Math.floor(Math.abs(factor) * Math.ceil(tokens / experts));
  // where no token has any expert, there is an empty place
  const load = layer.partial ? Math.max(1, largestLoad) : largestLoad;
  const places = own ??
    (factor > 0 ? limit : factor === 0 ? load : Math.min(load, limit));
  const aligned = Math.ceil(places / alignment) * alignment;
  // a layer that drops every token always would train nothing
  if (aligned < 1) {
    const least = Math.ceil(1e6 / Math.ceil(tokens / experts)) / 1e6;
    const other = own !== undefined
      ? "raise it"
      : factor > 0
      ? `raise it to at least ${least}`
      : `lower it to at most ${-least}`;
    fail(
      `the capacity is 0: capacityFactor ${factor} leaves no place for ${tokens} tokens on ${experts}` +
        ` experts; ${other}`,
    );
  }
  if (!(aligned <= MOST_PLACES)) {
    fail(`capacityFactor ${factor} makes a capacity of ${aligned}, more than 2^31 - 1; lower it`);
  }
  return aligned;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
