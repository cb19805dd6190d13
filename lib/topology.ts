/**
 * Nodes, ranks, links and processors: where a layer runs.
 * @module
 */
import { aTopology, expect } from "./arguments/mod.ts";
import {
  count,
  fail,
  LARGEST_RATE,
  object,
  perByte,
  rejectUnknown,
  start,
} from "./topology_fields.ts";
import {
  cardOf,
  type CardOptions,
  linkOf,
  type LinkOptions,
  processorOf,
  type ProcessorOptions,
} from "./topology_units.ts";
import type { Link, Spine, Topology, Turns } from "./types.ts";

export type { CardOptions, LinkOptions, ProcessorOptions };

/** What {@linkcode topology} takes; all but the two sizes have defaults. */
export interface TopologyOptions {
  /** What captions call it; default: the emulated cluster, where no link and no rate is given. */
  readonly name?: string;
  /** Where its numbers come from, in one line. */
  readonly source?: string;
  /** Machines. */
  readonly nodes: number;
  /** Ranks, such as GPUs, of each node. */
  readonly ranksPerNode: number;
  /** Link between two ranks of a node; default 100 MB/s and 20 us. */
  readonly intra?: LinkOptions;
  /** Link between two ranks of different nodes; default 25 MB/s and 50 us. */
  readonly inter?: LinkOptions;
  /** A rank to itself; default: the intra-node link without its alpha. */
  readonly local?: LinkOptions;
  /** What computes for a rank; default 20 GFLOP/s. */
  readonly processor?: ProcessorOptions;
  /** Ranks that share a processor; see {@linkcode Topology}. */
  readonly sharing?: Topology["sharing"];
  /** Speed of each rank's computation, default 1; see {@linkcode Topology}. */
  readonly speed?: Topology["speed"];
  /** Network cards that the ranks of a node share; see {@linkcode Topology}. */
  readonly nic?: CardOptions;
  /** Leaf switches, rails and uplinks between nodes; see {@linkcode Spine}. */
  readonly spine?: Spine;
  /** Slow-down of computation and transfers that run together; default 1. */
  readonly contention?: Partial<NonNullable<Topology["contention"]>>;
}

/**
 * A cluster slowed down to what two CPU cores can emulate: 100 MB/s inside a node and 25 MB/s between
 * nodes (the 4:1 of PCIe 3.0 x16 to 100 Gb/s), 20 GFLOP/s a rank, so that the all-to-alls of a typical
 * layer take about as long as its experts, as on the clusters that are studied.
 */
const SMALL = {
  intra: { alpha: 20e-6, beta: 1 / 100e6 },
  inter: { alpha: 50e-6, beta: 1 / 25e6 },
  processor: { alpha: 10e-6, flopRate: 20e9, byteRate: 4e9 },
} as const;

/** Name of the cluster above, and source of its numbers. */
const EMULATED = {
  name: "slowed down for two cores",
  source: "a cluster slowed down to what two CPU cores can emulate: 100 MB/s inside a node, " +
    "25 MB/s between nodes, 20 GFLOP/s a rank",
} as const;

/** Largest world that is accepted. */
const MOST_RANKS = 1 << 20;

/**
 * Describes a world of `nodes * ranksPerNode` ranks. Rank r is on node `floor(r / ranksPerNode)`.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * const world = topology({
 *   ...{ nodes: 2, ranksPerNode: 4 },
 *   intra: { bandwidth: "450 GB/s", latency: "3 us" },
 *   inter: { bandwidth: "400 Gb/s", latency: "10 us" },
 *   processor: { flopRate: "989 TFLOP/s", byteRate: "3.35 TB/s" },
 * });
 * console.assert(world.ranks === 8 && world.links.inter.beta === 1 / 50e9);
 * ```
 * @param options sizes; links and processors as texts with units or as numbers: seconds, seconds a
 * byte, and rates a second.
 * @throws {SchemoeError} naming the field that is not a usable number, or not a physical one.
 */
export function topology(options: TopologyOptions): Topology {
  object("options", options);
  const { nodes, ranksPerNode, sharing, speed, spine } = options;
  rejectUnknown(options, OPTIONS);
  const intra = { ...SMALL.intra, ...linkOf("intra", options.intra) };
  const links = {
    intra,
    inter: { ...SMALL.inter, ...linkOf("inter", options.inter) },
    local: { alpha: 0, beta: intra.beta, ...linkOf("local", options.local) },
  };
  const processor = { ...SMALL.processor, ...processorOf(options.processor) };
  if (options.contention) object("contention", options.contention);
  const contention = options.contention &&
    { compute: 1, communication: 1, ...options.contention };
  const nic = cardOf(options.nic);
  count("nodes", nodes);
  count("ranksPerNode", ranksPerNode);
  const ranks = nodes * ranksPerNode;
  const { name, source } = { ...(isEmulated(options) ? EMULATED : {}), ...defined(options) };
  const made: Topology = {
    ...(name === undefined ? {} : { name }),
    ...(source === undefined ? {} : { source }),
    nodes,
    ranksPerNode,
    ranks,
    links,
    processor,
    sharing,
    speed,
    nic,
    contention,
    ...(spine ? { spine } : {}),
  };
  checkTopology(made);
  return made;
}

const isEmulated = ({ intra, inter, local, processor }: TopologyOptions) =>
  !(intra ?? inter ?? local ?? processor);

function defined({ name, source }: TopologyOptions) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(source === undefined ? {} : { source }),
  };
}

const OPTIONS = [
  "nodes",
  "ranksPerNode",
  "intra",
  "inter",
  "local",
  "processor",
  "sharing",
  "speed",
  "nic",
  "spine",
  "contention",
  "name",
  "source",
];

/**
 * Checks a topology that was put together by hand.
 * @throws {SchemoeError} naming the field that is not a usable number.
 */
export function checkTopology(topology: Topology): void {
  object("topology", topology);
  const { nodes, ranksPerNode, ranks, links, processor, sharing, speed, nic } = topology;
  const { spine, contention } = topology;
  count("nodes", nodes);
  count("ranksPerNode", ranksPerNode);
  if (nodes * ranksPerNode > MOST_RANKS) {
    fail("nodes * ranksPerNode", `at most ${MOST_RANKS}`, nodes * ranksPerNode);
  }
  if (ranks !== nodes * ranksPerNode) {
    fail("ranks", `nodes * ranksPerNode = ${nodes * ranksPerNode}`, ranks);
  }
  object("links", links);
  for (const name of ["intra", "inter", "local"] as const) link(name, links[name]);
  object("processor", processor);
  rejectUnknown(processor, ["alpha", "flopRate", "byteRate"], "processor.");
  start("processor.alpha", processor.alpha);
  for (const rate of ["flopRate", "byteRate"] as const) {
    if (!(processor[rate] > 0)) fail(`processor.${rate}`, "a positive number", processor[rate]);
    if (processor[rate] > LARGEST_RATE) {
      fail(`processor.${rate}`, `at most ${LARGEST_RATE} a second`, processor[rate]);
    }
  }
  if (sharing) checkSharing(sharing, ranks);
  if (speed) checkSpeed(speed, ranks);
  for (const field of ["name", "source"] as const) {
    const text = topology[field];
    if (text !== undefined && typeof text !== "string") fail(field, "text", text);
  }
  if (nic) {
    object("nic", nic);
    rejectUnknown(nic, ["beta", "cards"], "nic.");
    perByte("nic.beta", nic.beta);
    const { cards = 1 } = nic;
    count("nic.cards", cards);
    if (ranksPerNode % cards) {
      fail("nic.cards", `a divisor of the ${ranksPerNode} ranks of a node`, cards);
    }
  }
  if (spine) checkSpine(spine, nodes);
  if (contention) checkContention(contention);
}

function checkSpeed(speed: readonly number[], ranks: number): void {
  if (!Array.isArray(speed) && !ArrayBuffer.isView(speed)) {
    fail("speed", "an array with a factor for each rank", speed);
  }
  if (speed.length !== ranks) fail("speed", `one factor for each of ${ranks} ranks`, speed.length);
  for (let rank = 0; rank < ranks; rank++) {
    const factor = speed[rank];
    if (!(typeof factor === "number" && factor > 0 && factor < Infinity)) {
      fail(`speed[${rank}]`, "a positive number", factor);
    }
  }
}

function checkSpine(spine: Spine, nodes: number): void {
  object("spine", spine);
  rejectUnknown(spine, ["oversubscription", "nodesPerLeaf", "rails"], "spine.");
  const { oversubscription, nodesPerLeaf, rails } = spine;
  if (
    !(typeof oversubscription === "number" && oversubscription >= 1 && oversubscription < Infinity)
  ) {
    fail("spine.oversubscription", "a number of at least 1", oversubscription);
  }
  if (nodesPerLeaf !== undefined) {
    count("spine.nodesPerLeaf", nodesPerLeaf);
    if (nodes % nodesPerLeaf && nodesPerLeaf < nodes) {
      fail("spine.nodesPerLeaf", `a divisor of the ${nodes} nodes`, nodesPerLeaf);
    }
  }
  if (rails !== undefined && typeof rails !== "boolean") fail("spine.rails", "a boolean", rails);
}

function checkContention(contention: NonNullable<Topology["contention"]>): void {
  object("contention", contention);
  rejectUnknown(contention, ["compute", "communication"], "contention.");
  for (const name of ["compute", "communication"] as const) {
    const factor = contention[name];
    if (!(typeof factor === "number" && factor >= 1 && factor < Infinity)) {
      fail(`contention.${name}`, "a number of at least 1", factor);
    }
  }
}

/**
 * The same topology with all ranks on one processor that runs `capacity` tasks at once.
 *
 * ```ts
 * import { sharedProcessor, topology } from "@schemoe/lab";
 * const world = sharedProcessor(topology({ nodes: 1, ranksPerNode: 4 }), 2); // four ranks on two cores
 * console.assert(world.sharing?.capacity[0] === 2);
 * ```
 */
export function sharedProcessor(world: Topology, capacity: number): Topology {
  expect("sharedProcessor", "world", world, aTopology);
  const sharing = { of: Array.from({ length: world.ranks }, () => 0), capacity: [capacity] };
  checkSharing(sharing, world.ranks);
  return { ...world, sharing };
}

function checkSharing(sharing: NonNullable<Topology["sharing"]>, ranks: number): void {
  object("sharing", sharing);
  rejectUnknown(sharing, ["of", "capacity", "turns"], "sharing.");
  const { of, capacity, turns } = sharing;
  if (!Array.isArray(of)) fail("sharing.of", "an array with the processor of each rank", of);
  if (!Array.isArray(capacity)) {
    fail("sharing.capacity", "an array with a number for each processor", capacity);
  }
  if (of.length !== ranks) {
    fail("sharing.of", `one processor for each of ${ranks} ranks`, of.length);
  }
  for (const value of capacity) {
    if (!(typeof value === "number" && value > 0)) {
      fail("sharing.capacity", "positive numbers", value);
    }
  }
  const foreign = of.find((number) => capacity[number] === undefined);
  if (foreign !== undefined) {
    fail("sharing.of", `numbers of ${capacity.length} processors`, foreign);
  }
  if (turns) checkTurns(turns);
}

function checkTurns(turns: Turns): void {
  object("sharing.turns", turns);
  rejectUnknown(turns, ["count", "slice", "transfers"], "sharing.turns.");
  const { count: lanes, slice, transfers } = turns;
  if (lanes !== undefined) count("sharing.turns.count", lanes);
  if (slice !== undefined && !(typeof slice === "number" && slice > 0)) {
    fail("sharing.turns.slice", "a number of seconds above 0", slice);
  }
  if (transfers !== undefined && transfers !== "inTurn" && transfers !== "first") {
    fail("sharing.turns.transfers", '"inTurn" or "first"', transfers);
  }
  if (transfers === "first" && slice === undefined) {
    fail("sharing.turns.slice", "given where transfers go first", slice);
  }
}

function link(name: string, value: Link): void {
  object(name, value);
  rejectUnknown(value, ["alpha", "beta"], `${name}.`);
  start(`${name}.alpha`, value.alpha);
  perByte(`${name}.beta`, value.beta);
}
