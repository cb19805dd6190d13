/** What layers, stacks and models print of themselves, instead of all that they are made of. @module */
import type { Layer } from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import { sizesText, worldText } from "../timeline/chart/facts.ts";
import { engineText, sizesOf } from "./configuration.ts";

/** What is printed. */
export interface Inspected {
  /** Name of the class, with further sizes. */
  readonly what: string;
  /** The layer, or each of several; equal ones are told once. */
  readonly layers: readonly Layer[];
  readonly engine: Engine;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
}

/** Sizes, engine and world, number of parameters: a line each. */
export function inspected({ what, layers, engine, parameters }: Inspected): string {
  const sizes = new Set(
    layers.map((layer) => `${sizesText(sizesOf(layer))} · gate ${layer.gate.name}`),
  );
  const shapes = Object.values(parameters);
  const count = shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return [
    what,
    ...sizes,
    `engine ${engineText(engine)}`,
    worldText(engine.topology, engine.timing),
    `${
      count.toLocaleString("en")
    } parameters in ${shapes.length} tensors, listed by its "parameters"`,
  ].join("\n");
}
