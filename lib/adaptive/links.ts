/** The fit of phases of transfers. @module */
import { type Estimate, fitSamples, type LinksFit, median, type Sample } from "../profile/mod.ts";

/** Phases fitted to their messages and bytes; all 0 without samples, as on one rank. */
export function linksOf(samples: readonly Sample[]): LinksFit {
  const none = { value: 0, least: 0, most: 0 };
  if (samples.length === 0) {
    const quality = { points: 0, r2: 1, error: 0, noise: 0, range: [0, 0] } as const;
    const link = { alpha: none, beta: none };
    return {
      alpha: none,
      intra: link,
      inter: link,
      local: none,
      corrections: [],
      quality,
      bySize: [],
    };
  }
  const { estimates, corrections, quality } = fitSamples(samples);
  const [alpha, intraAlpha, intraBeta, interAlpha, interBeta, local] = estimates;
  const values = estimates.map(({ value }) => value);
  const bySize = new Map<
    string,
    { peers: number; bytes: number; seconds: number[]; predicted: number }
  >();
  for (const { features, seconds } of samples) {
    const [, intra, intraBytes, inter, interBytes] = features;
    const peers = intra + inter;
    const bytes = intraBytes + interBytes;
    const key = `${peers} ${bytes} ${inter}`;
    const predicted = features.reduce((sum, feature, i) => sum + feature * values[i], 0);
    const row = bySize.get(key) ?? { peers, bytes, seconds: [], predicted };
    bySize.set(key, row);
    row.seconds.push(seconds);
  }
  return {
    alpha,
    local,
    corrections,
    quality,
    intra: { alpha: intraAlpha, beta: intraBeta },
    inter: { alpha: interAlpha, beta: interBeta },
    bySize: [...bySize.values()].map((row) => ({ ...row, seconds: median(row.seconds) }))
      .toSorted((a, b) => a.peers - b.peers || a.bytes - b.bytes),
  };
}

/** Links whose phases take a part of the time: what was work of phases that waited for processors too. */
export function partOfLinks(links: LinksFit, part: number): LinksFit {
  const of = ({ value, least, most }: Estimate): Estimate => ({
    value: part * value,
    least: part * least,
    most: part * most,
  });
  const { alpha, intra, inter, local, corrections } = links;
  return {
    ...links,
    alpha: of(alpha),
    intra: { alpha: of(intra.alpha), beta: of(intra.beta) },
    inter: { alpha: of(inter.alpha), beta: of(inter.beta) },
    local: of(local),
    corrections: corrections.map(({ seconds, factor }) => ({ seconds: part * seconds, factor })),
  };
}
