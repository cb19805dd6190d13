/**
 * Arrows of a trace: who sends to whom.
 * @module
 */
import type { Program } from "../../engine.ts";
import type { Task, TrafficPattern } from "../../types.ts";
import { column, isCommunication, numbers, rows, type Subject } from "../table/columns.ts";

/** Sender and receiver of a transfer, by row number. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
}

/** The same phase on all ranks that took part in it. */
interface PhaseRows {
  readonly name: string;
  readonly pass: string;
  readonly lane: string;
  readonly byRank: Map<number, number>;
}

/**
 * Arrows between rows of communication that belong together: the k-th of a name on each rank. With
 * Programs they are the sends of their tasks. Without, rows of lane `intra` point to the other ranks of
 * their node and all others to ranks of other nodes, if they sent anything; a plan in which not all of
 * these meet needs its Program.
 *
 * @param most arrows of all rows together: each row gets its share, nearest ranks first.
 */
export function arrowsOf(
  timeline: Subject,
  { programs, most }: { programs?: readonly Program[]; most: number },
): Arrow[] {
  const phases = phasesOf(timeline);
  const bytes = numbers(timeline, "bytes");
  const node = numbers(timeline, "node");
  const tasks = new Map(
    (programs ?? []).flatMap(({ order, graph }) =>
      order.filter(({ transfers }) => transfers).map((task) => [`${graph.pass} ${task.name}`, task])
    ),
  );
  const rowCount = phases.reduce((sum, { byRank }) => sum + byRank.size, 0);
  const share = Math.ceil(most / Math.max(1, rowCount));
  const arrows: Arrow[] = [];
  const targetsOf = sendTargets();
  for (const { name, pass, lane, byRank } of phases) {
    const ranks = [...byRank.keys()].toSorted((a, b) => a - b);
    const task = tasks.get(`${pass} ${name}`);
    for (const [index, rank] of ranks.entries()) {
      if (arrows.length >= most) return arrows;
      const from = byRank.get(rank)!;
      const targets = task && targetsOf(task, rank);
      const meets = (peer: number) =>
        targets ? targets.has(peer) : bytes.at(from) > 0 &&
          (lane === "intra") === (node.at(from) === node.at(byRank.get(peer)!));
      let own = 0;
      for (let step = 1; step < ranks.length && own < share && arrows.length < most; step++) {
        const peer = ranks[(index + step) % ranks.length];
        if (!meets(peer)) continue;
        arrows.push({ from, to: byRank.get(peer)! });
        own++;
      }
    }
  }
  return arrows;
}

/** Ranks that a rank sends to in a task, listed once for all chunks that move alike. */
function sendTargets(): (task: Task, rank: number) => ReadonlySet<number> | undefined {
  const known = new WeakMap<TrafficPattern, Map<number, ReadonlySet<number>>>();
  return (task, rank) => {
    const ofPattern = task.traffic && known.get(task.traffic.pattern);
    const found = ofPattern?.get(rank);
    if (found) return found;
    const sends = task.transfers?.(rank).filter(({ kind }) => kind === "send");
    const targets = sends && new Set(sends.map(({ peer }) => peer));
    if (task.traffic && targets) {
      if (ofPattern) ofPattern.set(rank, targets);
      else known.set(task.traffic.pattern, new Map([[rank, targets]]));
    }
    return targets;
  };
}

function phasesOf(timeline: Subject): PhaseRows[] {
  const [name, pass, lane, kind] = (["name", "pass", "lane", "kind"] as const)
    .map((of) => column<string>(timeline, of));
  const rank = numbers(timeline, "rank");
  const phases = new Map<string, PhaseRows>();
  const seen = new Map<string, number>();
  for (const row of rows(timeline)) {
    if (!isCommunication(kind.at(row))) continue;
    const key = `${pass.at(row)} ${lane.at(row)} ${name.at(row)}`;
    const count = seen.get(`${rank.at(row)} ${key}`) ?? 0;
    seen.set(`${rank.at(row)} ${key}`, count + 1);
    const found = phases.get(`${count} ${key}`) ??
      { name: name.at(row), pass: pass.at(row), lane: lane.at(row), byRank: new Map() };
    phases.set(`${count} ${key}`, found);
    found.byRank.set(rank.at(row), row);
  }
  return [...phases.values()];
}
