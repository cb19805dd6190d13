/** An engine whose times come from a world that it does not tell, with noise. @module */
import { modelCosts } from "../../lib/costs/mod.ts";
import type { Costs } from "../../lib/costs/types.ts";
import { elementsOf, productBytes } from "../../lib/kernels/mod.ts";
import { openSimulator } from "../../lib/engines/mod.ts";
import { uniforms } from "../../lib/random.ts";
import type { Engine, EventTable, RunOptions } from "../../lib/engine.ts";
import type { Task, Topology } from "../../lib/types.ts";

export interface Hidden {
  /** What it claims to be, and what it is at first. */
  readonly shown: Topology;
  readonly real: Topology;
  /** Largest part by which a whole run is longer; default 0. */
  readonly noise?: number;
  /** Part by which each run is longer than the one before; default 0. */
  readonly drift?: number;
  /** How many times longer tasks take alone than in a run, where their operands are in cache; default 1. */
  readonly cold?: number;
  /** What it takes until operations begin; default nothing. */
  readonly launch?: Costs["launch"];
  /** Part of a task's fixed time in which it leaves processors to others; default 0. */
  readonly latency?: number;
  /** Seconds of a number that a kernel handles by itself, and of a byte of a product's operands; default 0. */
  readonly element?: number;
  readonly operand?: number;
}

/** `become` changes what it really is. */
export function hiddenEngine(
  { shown, real, noise = 0, drift = 0, cold = 1, launch, latency = 0, element = 0, operand = 0 }:
    Hidden,
): Engine & { become(topology: Topology): void; runs: number } {
  const uniform = uniforms(7);
  const open = (topology: Topology) => {
    const model = modelCosts(topology);
    const costs = {
      ...model,
      seconds: (task: Task, rank = 0) =>
        model.seconds(task, rank) +
        (task.kernels?.(rank) ?? []).reduce(
          (sum, kernel) => sum + element * elementsOf(kernel) + operand * productBytes(kernel),
          0,
        ),
    };
    const width = (task: Task, rank: number) =>
      1 - latency * topology.processor.alpha / costs.seconds(task, rank);
    return openSimulator(topology, {
      costs: { ...costs, ...(launch ? { launch } : {}), ...(latency > 0 ? { width } : {}) },
    });
  };
  let inside = open(real);
  const engine = {
    ...openSimulator(shown),
    timing: "hidden",
    modelled: false,
    runs: 0,
    become: (topology: Topology) => void (inside = open(topology)),
    async run(...[program, workspace, options]: Parameters<Engine["run"]>) {
      engine.runs++;
      return longer(
        await inside.run(program, workspace, options as RunOptions),
        (1 + noise * uniform()) * (1 + drift * engine.runs) * (options?.isolated ? cold : 1),
      );
    },
    [Symbol.dispose]() {},
  };
  return engine;
}

function longer(events: EventTable, factor: number): EventTable {
  const scaled = (times: Float64Array) => times.map((time) => time * factor);
  const { ready, start, end, wait } = events;
  return {
    ...events,
    ready: scaled(ready),
    start: scaled(start),
    end: scaled(end),
    wait: scaled(wait),
  };
}
