/**
 * Colours of the kinds of task. Communication is warm, computation is not. They were searched for
 * the largest difference between any two that meet in one picture, to normal vision and to the
 * three colour blindnesses as simulated by Machado, Oliveira and Fernandes, 2009
 * (doi 10.1109/TVCG.2009.113); a test holds them to it.
 * @module
 */
import { isCommunication } from "../table/columns.ts";

/** How a kind of task is drawn. */
export interface KindStyle {
  /** Name in the legend. */
  readonly name: string;
  readonly fill: string;
  /** Colour of text on it. */
  readonly ink: string;
}

/** Colours of everything that is not a bar, on a light page; `theme.ts` has those of a dark one. */
export const PAGE = {
  paper: "#ffffff",
  edge: "#d0d7de",
  band: "#f1f4f7",
  grid: "#c9d1d9",
  ink: "#1f2328",
  faint: "#57606a",
  exposed: "#fbc3b5",
} as const;

/** Colours of curves and dots on a light page, which normal and colour-blind eyes tell apart (Okabe and Ito, 2008). */
export const CURVES = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  PAGE.ink,
] as const;

/** What a chart shows, and what stands out in it. */
export const [BLUE, RED] = CURVES;

// unlike any colour of the page, so that a theme may replace colours by their value
const DARK = "#1b1f24";
const LIGHT = "#fefefe";

/** The all-to-all that brings results back, A2 of the paper: drawn apart from A1. */
const BACK = "allToAllBack";

/** In the order of the legend. */
const STYLES: Readonly<Record<string, KindStyle>> = {
  gate: { name: "gate", fill: "#790f8a", ink: LIGHT },
  dispatch: { name: "dispatch", fill: "#868e93", ink: DARK },
  compress: { name: "compress", fill: "#9aecfe", ink: DARK },
  pack: { name: "pack", fill: "#9aecfe", ink: DARK },
  decompress: { name: "decompress", fill: "#17a35d", ink: LIGHT },
  unpack: { name: "unpack", fill: "#17a35d", ink: LIGHT },
  expert: { name: "expert", fill: "#006be6", ink: LIGHT },
  expertInputGrad: { name: "expert input gradient", fill: "#100eb2", ink: LIGHT },
  expertWeightGrad: { name: "expert weight gradient", fill: "#c374cc", ink: DARK },
  combine: { name: "combine", fill: "#37383a", ink: LIGHT },
  opaque: { name: "opaque", fill: "#d9dcdf", ink: DARK },
  allToAll: { name: "all-to-all", fill: "#eb9c00", ink: DARK },
  [BACK]: { name: "all-to-all back", fill: "#fffa6e", ink: DARK },
  allReduce: { name: "all-reduce", fill: "#c50202", ink: LIGHT },
};

/** How a kind is drawn; a kind that this project does not know is grey and keeps its own name. */
export function kindStyle(kind: string): KindStyle {
  return Object.hasOwn(STYLES, kind) ? STYLES[kind] : { ...STYLES.opaque, name: kind };
}

/** Style of a bar: its kind, but the all-to-all back (label `A2`) apart from the one there. */
export const barKind = (kind: string, label: string): string =>
  kind === "allToAll" && label.endsWith("2") ? BACK : kind;

/** Whether a legend lists it under communication. */
export const communicates = (kind: string): boolean => kind === BACK || isCommunication(kind);

/** The kinds given, in the order of the legend, computation before communication. */
export function legendOrder(kinds: Iterable<string>): string[] {
  const known = Object.keys(STYLES);
  const place = (kind: string) =>
    known.includes(kind) ? known.indexOf(kind) : communicates(kind) ? 99 : 10.5;
  return [...new Set(kinds)].toSorted((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}
