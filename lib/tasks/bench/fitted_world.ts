/** A world whose links are as an engine's transfers were measured. @module */
import { linear } from "../../alltoall/mod.ts";
import type { Engine } from "../../engine.ts";
import { unevenProgram } from "../../studies/balancing/exchange.ts";
import { topology } from "../../topology.ts";
import type { Topology } from "../../types.ts";
import { secondsOfOne } from "./exchange.ts";
import type { Row } from "./report.ts";

/** Bytes of a message in the two exchanges through which a line is laid; the larger unless told otherwise. */
const [SMALL, LARGE] = [1 << 16, 1 << 22];

/** Whether a rank sends to another one in an exchange. */
type Pairs = (from: number, to: number) => boolean;

/**
 * Fits start-up and time a byte of each kind of link, all ranks at once: copies of a rank to itself, messages inside the
 * nodes, and between nodes. There one pair of ranks gives the start-up; that pair, or one rank that sends to all others or
 * gets from them, whichever is fastest, the link; and all pairs at once the card that the ranks of a node share, where they
 * are slower together. The processor is that of the engine.
 *
 * @param options.large bytes of the larger of both messages: fast links need more of them.
 */
export async function fittedWorld(
  engine: Engine,
  { large: most = LARGE }: { readonly large?: number } = {},
): Promise<Topology> {
  const { nodes, ranksPerNode: m, ranks, processor } = engine.topology;
  const node = (rank: number) => Math.floor(rank / m);
  const line = async (pairs: Pairs, messages = 1) => {
    const [small, large] = [await timeOf(engine, pairs, SMALL), await timeOf(engine, pairs, most)];
    const beta = Math.max(0, (large - small) / (messages * (most - SMALL)));
    return { alpha: Math.max(0, small / messages - beta * SMALL), beta };
  };
  const { beta } = await line((from, to) => from === to);
  const intra = m > 1
    ? await line((from, to) => from !== to && node(from) === node(to), m - 1)
    : undefined;
  const world = { nodes, ranksPerNode: m, processor, local: { beta }, ...(intra ? { intra } : {}) };
  if (nodes === 1) return topology(world);
  const apart = (from: number, to: number) => node(from) !== node(to);
  const one = await line((from, to) => (from === 0 && to === m) || (from === m && to === 0));
  const together = await line(apart, ranks - m);
  // sockets of one pair may carry less than those of a rank to all others
  const sends = await line((from, to) => apart(from, to) && from === 0, ranks - m);
  const receives = await line((from, to) => apart(from, to) && to === 0, ranks - m);
  // a large exchange that took no longer than a small one says nothing
  const betas = [one, sends, receives, together].flatMap(({ beta }) => beta > 0 ? [beta] : []);
  const inter = { alpha: one.alpha, beta: betas.length ? Math.min(...betas) : 0 };
  const shared = together.beta > inter.beta ? { nic: { beta: together.beta / m } } : {};
  return topology({ ...world, inter, ...shared });
}

const timeOf = (engine: Engine, pairs: Pairs, size: number): Promise<number> =>
  secondsOfOne(
    engine,
    unevenProgram(engine.topology, linear, {
      ranks: engine.topology.ranks,
      bytes: (from, to) => pairs(from, to) ? size : 0,
    }),
  );

/** The links of a world as a report tells them. */
export function linksText({ nodes, links: { intra, inter }, nic }: Topology): Row {
  const rate = (beta: number) =>
    1 / beta < 1e9 ? `${Math.round(1e-6 / beta)} MB/s` : `${Math.round(1e-7 / beta) / 100} GB/s`;
  const text = ({ alpha, beta }: { alpha: number; beta: number }) =>
    `${Math.round(1e7 * alpha) / 10} us + ${rate(beta)}`;
  return {
    intra: text(intra),
    ...(nodes > 1 ? { inter: text(inter) } : {}),
    ...(nic ? { card: rate(nic.beta) } : {}),
  };
}
