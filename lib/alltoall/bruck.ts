import type { AllToAll, Phase, Slice } from "./types.ts";
import { copy, input, output, receive, scratch, send } from "./slices.ts";
import { range, widestLane } from "./world.ts";

/**
 * Bruck's all-to-all (Bruck, Ho, Kipnis, Upfal and Weathersby, IEEE TPDS 8(11), 1997): ceil(log2 P) rounds.
 * In round k every slice whose distance to its destination has bit k set goes 2^k ranks on, all in one
 * message. Few start-up times for small messages, paid with each slice sent once per set bit (about
 * P/2 slices a round) and with a local copy that packs it.
 */
export const bruck: AllToAll = {
  name: "bruck",
  plan({ rank, topology }) {
    const { ranks } = topology;
    const lane = widestLane(topology);
    // Where the slice that has `distance` to go is now; what was received stays where it came.
    const at: Slice[] = range(ranks, (distance) => input((rank + distance) % ranks));
    const phases: Phase[] = [];
    let free = Math.ceil(ranks / 2);
    for (let bit = 1; bit < ranks; bit *= 2) {
      const sent = range(ranks, (distance) => distance).filter((distance) => distance & bit);
      const [to, from] = [(rank + bit) % ranks, (rank - bit + ranks) % ranks];
      phases.push(
        {
          name: `pack ${bit}`,
          lane,
          steps: sent.map((distance, i) => copy(at[distance], scratch(i))),
        },
        {
          name: `round ${bit}`,
          lane,
          steps: [send(scratch(0, sent.length), to), receive(scratch(free, sent.length), from)],
        },
      );
      for (const [i, distance] of sent.entries()) at[distance] = scratch(free + i);
      free += sent.length;
    }
    const steps = range(
      ranks,
      (distance) => copy(at[distance], output((rank - distance + ranks) % ranks)),
    );
    return [...phases, { name: "unpack", lane, steps }];
  },
  ways: ({ ranks }) => (source, destination, move) => {
    const distance = (destination - source + ranks) % ranks;
    let [at, phase] = [source, 0];
    for (let bit = 1; bit < ranks; bit *= 2, phase += 2) {
      if (!(distance & bit)) continue;
      const to = (at + bit) % ranks;
      move(phase, at, at);
      move(phase + 1, at, to);
      at = to;
    }
    move(phase, at, at);
  },
};
