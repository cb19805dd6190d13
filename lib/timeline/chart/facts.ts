/**
 * Facts of a run in its picture, so that it can be understood without its notebook.
 * @module
 */
import { column, rows } from "../table/columns.ts";
import { type Timed, worldOf } from "../table/subject.ts";
import { rateText, timeText } from "../../units.ts";
import type { Link, Spine, Topology } from "../../types.ts";
import { verdict } from "../measures/verdict.ts";
import { textWidth } from "./layout.ts";

/** Title of a run: its name, and the pass where the name does not tell. */
export function titleOf({ name, pass }: Timed): string | undefined {
  if (name === undefined) return undefined;
  return pass && !name.includes(pass) ? `${name} · ${pass}` : name;
}

/** Lines below the title: choices, sizes, world, and verdict. */
export function factsOf(run: Timed): string[] {
  const world = worldOf(run);
  const timing = `${run.configuration?.engine ?? ""}`;
  const judged = rows(run.timeline).length > 0 ? [verdict(run)] : [];
  if (!world && !run.configuration) return [[choicesOf(run), ...judged].join(" · ")];
  return [
    choicesOf(run),
    sizesText(run.configuration),
    // times that were given as they are come from no world
    ...(world && run.configuration?.times === undefined ? [worldText(world, timing)] : []),
    ...judged,
  ].filter((line) => line !== "");
}

/** Choices: pass, scheduler and all-to-all, codec, chunks, engine. */
export function choicesOf(run: Timed): string {
  const { scheduler, allToAll, compressor, chunks, engine, clocks, layers, weightGradients } =
    run.configuration ?? {};
  return [
    run.pass ?? passOf(run),
    [scheduler, allToAll].filter((part) => part !== undefined).join(" + "),
    compressor === undefined ? "" : `codec ${compressor}`,
    chunks === undefined ? "" : `${chunks} ${chunks === 1 ? "chunk" : "chunks"}`,
    layers === undefined ? "" : `${layers} layers`,
    weightGradients === undefined ? "" : `weight gradients ${weightGradients}`,
    engine === undefined ? "" : `${engine}`,
    clocks === undefined ? "" : `clocks ${clocks}`,
  ].filter((part) => part !== "").join(" · ");
}

/** Sizes of the layer of a configuration, in the words in which they are given: "" where it has none. */
export function sizesText(configuration: Timed["configuration"] = {}): string {
  const {
    tokens,
    modelDim,
    hiddenDim,
    latentDim,
    dtype,
    experts,
    topK,
    capacity,
    dropless,
    expert,
  } = configuration;
  const known = (name: string, value?: string | number | boolean) =>
    value === undefined ? "" : `${name} ${value}`;
  return [
    known("tokens", tokens),
    known("modelDim", modelDim),
    known("hiddenDim", hiddenDim),
    known("latentDim", latentDim),
    experts === undefined ? "" : `${experts} experts${topK === undefined ? "" : `, top-${topK}`}`,
    dtype === undefined ? "" : `${dtype}`,
    dropless ? "dropless" : known("capacity", capacity),
    expert === undefined ? "" : `${expert}`,
  ].filter((part) => part !== "").join(" · ");
}

/** What all configurations have in common, in words such as `chunks 4 · tokens 512 a rank`. */
export function commonText(
  configurations: readonly NonNullable<Timed["configuration"]>[],
): string {
  const [first = {}, ...others] = configurations;
  return Object.entries(first)
    .filter(([name, value]) => others.every((other) => other[name] === value))
    .map(([name, value]) => `${name} ${value}`).join(" · ");
}

/** What all worlds have in common, in the words of {@linkcode worldText}. */
export function commonWorld(worlds: readonly Topology[]): string {
  const lists = worlds.map((world) => worldText(world).split(" · "))
    .toSorted((a, b) => b.length - a.length);
  // parts tell the same thing where they differ in numbers alone
  const kind = (part: string) => part.replace(/\d.*/, "");
  const agreed = new Map<string, string>();
  for (const part of lists.flat()) {
    const known = agreed.get(kind(part));
    agreed.set(kind(part), known === undefined || known === part ? part : "");
  }
  const [first] = worlds;
  const named = first?.name !== undefined && worlds.every(({ name }) => name === first.name);
  const parts = [...agreed.values()].filter((part) => part !== "");
  // of worlds of several sizes only the name is left of the first part
  return [...(named && agreed.get("") === "" ? [first.name] : []), ...parts].join(" · ");
}

/** Ranks, with the links and processors of an emulated or simulated run. */
export function worldText(world: Topology, timing = ""): string {
  const { name, nodes, ranksPerNode, links: { intra, inter }, processor, speed, nic } = world;
  const { spine } = world;
  const slow = speed ? Math.min(...speed) : 1;
  const emulates = !timing.includes("plain links");
  const paces = !timing.includes("real computation");
  return [
    // links and rates that are not emulated are not those of its name
    `${nodes} x ${ranksPerNode} ranks${name && (emulates || paces) ? `, ${name}` : ""}`,
    ...(emulates && ranksPerNode > 1 ? [`inside a node ${linkText(intra)}`] : []),
    ...(emulates && nodes > 1 ? [`between nodes ${linkText(inter)}`] : []),
    ...(emulates && nic && nodes > 1 ? [cardText(nic)] : []),
    ...(emulates && spine && nodes > 1 ? [spineText(spine)] : []),
    ...(paces ? [`computation ${rateText(processor.flopRate, "FLOP/s")} a rank`] : []),
    ...(slow < 1 ? [`slowest rank at ${Number(slow.toPrecision(2))} of that`] : []),
  ].join(" · ");
}

function cardText({ cards = 1, beta }: NonNullable<Topology["nic"]>): string {
  const many = cards === 1 ? "one network card" : `${cards} network cards`;
  return `${many} a node, ${rateText(1 / beta, "B/s")}`;
}

function spineText({ oversubscription, rails, nodesPerLeaf }: Spine): string {
  const below = nodesPerLeaf === undefined ? "" : `, ${nodesPerLeaf} nodes below a leaf`;
  return `${rails ? "rails, " : ""}spine ${oversubscription}:1${below}`;
}

/** A link as `50 GB/s + 5 us`. */
function linkText({ alpha, beta }: Link): string {
  return `${beta > 0 ? rateText(1 / beta, "B/s") : "no time a byte"} + ${timeText(alpha)}`;
}

/** Lines broken at their dots so that none is wider than `width` pixels; a part that is stays. */
export function wrap(lines: readonly string[], fontSize: number, width: number): string[] {
  return lines.flatMap((line) => {
    const broken: string[] = [];
    for (const part of line.split(" · ")) {
      const longer = `${broken.at(-1)} · ${part}`;
      if (broken.length > 0 && textWidth(longer, fontSize) <= width) {
        broken[broken.length - 1] = longer;
      } else broken.push(part);
    }
    return broken;
  });
}

/** `forward`, `backward`, or both as a step has them. */
export function passOf({ timeline }: Timed): string {
  const pass = column<string>(timeline, "pass");
  const found = new Set<string>();
  for (const row of rows(timeline)) found.add(pass.at(row));
  return [...found].join(" and ");
}
