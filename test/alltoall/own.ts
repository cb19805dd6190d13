/** An all-to-all and a codec as users write them. */
import { type AllToAll, type Compressor, linear } from "../../mod.ts";
import { copy, input, output, scratch } from "../../lib/alltoall/mod.ts";

/** Linear, but by way of the wrong slots: all input is reversed first, and output comes out shifted. */
export const roundabout: AllToAll = {
  name: "roundabout",
  plan({ rank, topology }) {
    const { ranks } = topology;
    const all = Array.from({ length: ranks }, (_, i) => i);
    const [{ lane, steps }] = linear.plan({ rank, topology });
    const reversed = (slice: { index: number }) => input(ranks - 1 - slice.index);
    const shifted = (slice: { index: number }) => output((slice.index + 1) % ranks);
    return [
      { name: "aside", lane, steps: all.map((i) => copy(input(i), scratch(i))) },
      { name: "reverse", lane, steps: all.map((i) => copy(scratch(i), input(ranks - 1 - i))) },
      {
        name: "exchange",
        lane,
        steps: steps.map((step) =>
          step.kind === "copy"
            ? copy(reversed(step.from), shifted(step.to))
            : step.kind === "send"
            ? { ...step, from: reversed(step.from) }
            : { ...step, to: shifted(step.to) }
        ),
      },
      { name: "back", lane, steps: all.map((i) => copy(output((i + 1) % ranks), scratch(i))) },
      { name: "home", lane, steps: all.map((i) => copy(scratch(i), output(i))) },
    ];
  },
};

/** Float32 as bytes, by JavaScript. */
export const bytes: Compressor = {
  name: "bytes",
  wireBytes: ({ rows, columns }) => 4 * rows * columns,
  encode: (values) => new Uint8Array(values.slice().buffer),
  decode: (wire) => new Float32Array(wire.slice().buffer),
};
