/** Quantities that a what-if can vary, by name. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import { resolveGate } from "../blocks/resolve_gate.ts";
import { checkTopology } from "../topology.ts";
import { loadsOf, zipfRouting } from "../routing/mod.ts";
import { type Loads, SchemoeError, type Topology } from "../types.ts";
import type { PassChoices } from "../layer/choices.ts";
import { parseRate, parseTime, rateText, timeText } from "../units.ts";
import { didYouMean, quoted } from "../words.ts";
import { linkOf, processorOf } from "../topology_units.ts";

/** A layer, where it runs and how. */
export interface Setup {
  /** Its configuration. */
  readonly layer: LayerConfig;
  /** The world. */
  readonly topology: Topology;
  /** Scheduler, all-to-all, codec and chunks. */
  readonly choices: PassChoices;
  /** Tokens that each rank sends to each expert, for a dropless layer; default: as equal as can be. */
  readonly loads?: Loads;
}

/** A change of one's own: a name for the axis, and what a value does. */
export interface Vary<T extends number | string = number | string> {
  /** Name of the axis. */
  readonly name: string;
  /** Unit of the axis, such as `GB/s`. */
  readonly unit?: string;
  /** The setup with that value. */
  readonly apply: (setup: Setup, value: T) => Setup;
}

const LAYER_FIELDS = ["tokens", "modelDim", "hiddenDim", "experts"] as const;

type Change = (setup: Setup, value: never) => Setup;

const onTopology = (change: (topology: Topology, value: number) => Topology): Change => {
  return ((setup: Setup, value: number) => {
    const topology = change(setup.topology, value);
    checkTopology(topology);
    return { ...setup, topology };
  }) as Change;
};

const onLink = (link: "intra" | "inter", field: "alpha" | "beta") =>
  onTopology((topology, value) => {
    const links = { ...topology.links, [link]: { ...topology.links[link], [field]: value } };
    return { ...topology, links };
  });

const onBandwidth = (link: "intra" | "inter") =>
  onTopology((topology, value) => {
    const changed = { ...topology.links[link], ...linkOf(link, { bandwidth: value }) };
    return { ...topology, links: { ...topology.links, [link]: changed } };
  });

const onProcessor = (field: "alpha" | "flopRate" | "byteRate") =>
  onTopology((topology, value) => ({
    ...topology,
    processor: { ...topology.processor, ...processorOf({ [field]: value }) },
  }));

/** Another world with as many experts a rank, or with as many ranks in a group of `parallel.expert`. */
function onWorld(field: "nodes" | "ranksPerNode"): Change {
  return ((setup: Setup, value: number) => {
    const { ranks, sharing, speed } = setup.topology;
    if (sharing || speed) {
      throw new SchemoeError(
        `Cannot vary ${field}: the topology describes each of ${ranks} ranks (speed or sharing)`,
      );
    }
    const changed = { ...setup.topology, [field]: value };
    const topology = { ...changed, ranks: changed.nodes * changed.ranksPerNode };
    checkTopology(topology);
    const { parallel } = setup.layer;
    if (parallel?.expert !== undefined) {
      // groups stay what they are, there are more or fewer of them
      const { data: _, ...groups } = parallel;
      return { ...setup, topology, layer: { ...setup.layer, parallel: groups } };
    }
    const experts = setup.layer.experts / ranks * topology.ranks;
    return { ...setup, topology, layer: { ...setup.layer, experts } };
  }) as Change;
}

const onLayer = (field: keyof LayerConfig): Change =>
  ((setup: Setup, value: number) => ({
    ...setup,
    layer: { ...setup.layer, [field]: value },
  })) as Change;

/** Another number of experts a token, chosen by the same gate. */
const onK = ({ layer, ...others }: Setup, k: number): Setup => ({
  ...others,
  layer: { ...layer, gate: { ...resolveGate(layer.gate, layer.experts), k } },
});

/** The same experts in groups of so many ranks, as many groups as the world has room for. */
const onGroups = ({ layer, ...others }: Setup, expert: number): Setup => {
  const { data: _, ...parallel } = { ...layer.parallel };
  return { ...others, layer: { ...layer, parallel: { ...parallel, expert } } };
};

const onCapacityFactor = ({ layer, ...others }: Setup, capacityFactor: number): Setup => ({
  ...others,
  layer: { ...layer, routing: { ...layer.routing, capacityFactor } },
});

/** A dropless layer under a routing by Zipf's law. */
const onSkew: Change = ((setup: Setup, exponent: number) => {
  const { tokens, experts, gate, routing } = setup.layer;
  const topK = resolveGate(gate, experts).k;
  const { ranks } = setup.topology;
  return {
    ...setup,
    layer: {
      ...setup.layer,
      routing: { ...(routing?.priority ? { priority: routing.priority } : {}), dropless: true },
    },
    loads: loadsOf(zipfRouting({ ranks, tokens, experts, topK, exponent })),
  };
}) as Change;

const onChoices = (field: keyof PassChoices): Change =>
  ((setup: Setup, value: number | string) => ({
    ...setup,
    choices: { ...setup.choices, [field]: value },
  })) as Change;

const CHANGES: Readonly<Record<string, { readonly unit?: string; readonly apply: Change }>> = {
  "inter.alpha": { unit: "s", apply: onLink("inter", "alpha") },
  "inter.latency": { unit: "s", apply: onLink("inter", "alpha") },
  "inter.beta": { unit: "s/byte", apply: onLink("inter", "beta") },
  "inter.bandwidth": { unit: "bytes/s", apply: onBandwidth("inter") },
  "intra.alpha": { unit: "s", apply: onLink("intra", "alpha") },
  "intra.latency": { unit: "s", apply: onLink("intra", "alpha") },
  "intra.beta": { unit: "s/byte", apply: onLink("intra", "beta") },
  "intra.bandwidth": { unit: "bytes/s", apply: onBandwidth("intra") },
  "nic.beta": {
    unit: "s/byte",
    apply: onTopology((topology, beta) => ({ ...topology, nic: { ...topology.nic, beta } })),
  },
  "spine.oversubscription": {
    apply: onTopology((topology, oversubscription) => ({
      ...topology,
      spine: { ...topology.spine, oversubscription },
    })),
  },
  "processor.alpha": { unit: "s", apply: onProcessor("alpha") },
  "processor.flopRate": { unit: "flop/s", apply: onProcessor("flopRate") },
  "processor.byteRate": { unit: "bytes/s", apply: onProcessor("byteRate") },
  nodes: { apply: onWorld("nodes") },
  ranksPerNode: { apply: onWorld("ranksPerNode") },
  ...Object.fromEntries(LAYER_FIELDS.map((field) => [field, { apply: onLayer(field) }])),
  k: { apply: onK },
  capacityFactor: { apply: onCapacityFactor },
  "parallel.expert": { apply: onGroups },
  "routing.zipf": { apply: onSkew },
  chunks: { apply: onChoices("chunks") },
  compressor: { apply: onChoices("compressor") },
  allToAll: { apply: onChoices("allToAll") },
};

/**
 * A value as a number where its unit is one of bytes, operations or time: `"50 GB/s"`, `"5 us"`.
 * @throws {SchemoeError} for a text that is none, where numbers alone make sense.
 */
export function valueOf({ name, unit }: Vary, value: number | string): number | string {
  if (typeof value !== "string" || CHANGES[name]?.unit !== unit || unit === undefined) return value;
  const [parsed, example] = unit === "s"
    ? [parseTime(value), "5 us"]
    : unit === "flop/s"
    ? [parseRate(value, "FLOP/s"), "989 TFLOP/s"]
    : [unit === "bytes/s" ? parseRate(value, "B/s") : undefined, "50 GB/s"];
  if (parsed !== undefined) return parsed;
  const text = unit === "s/byte"
    ? "a number of seconds a byte"
    : `a number or a text such as "${example}"`;
  throw new SchemoeError(`Cannot vary ${name}: ${quoted(value)} is not ${text}`);
}

/** A value in words: rates and times with the unit that fits, other numbers as they are. */
export function valueText({ unit }: Vary, value: number | string): string {
  if (typeof value === "string") return value;
  if (unit === "bytes/s") return rateText(value, "B/s");
  if (unit === "flop/s") return rateText(value, "FLOP/s");
  if (unit === "s") return timeText(value);
  return unit === "s/byte" ? value.toPrecision(4) : `${value}`;
}

/** Whether {@linkcode valueText} tells the unit. */
export const tellsUnit = ({ unit }: Vary): boolean =>
  ["bytes/s", "flop/s", "s"].includes(`${unit}`);

/** A change by its name, or of one's own. @throws {SchemoeError} naming the changes there are. */
export function varyOf(vary: string | Vary): Vary {
  if (typeof vary !== "string") {
    if (
      typeof vary === "object" && typeof vary?.apply === "function" && typeof vary.name === "string"
    ) return vary;
    throw new SchemoeError("Cannot vary it: a change of your own is an object { name, apply }");
  }
  if (!Object.hasOwn(CHANGES, vary)) {
    throw new SchemoeError(
      `Cannot vary "${vary}": choose one of ${
        Object.keys(CHANGES).join(", ")
      }, or give { name, apply }${didYouMean(vary, Object.keys(CHANGES))}`,
    );
  }
  return { name: vary, ...CHANGES[vary] } as Vary;
}
