/** Says in words why a plan does not bring a slice where it belongs. @module */
import type { Slice } from "./types.ts";
import { phaseName } from "./plan.ts";
import { AMBIGUOUS, END, UNWRITTEN, type Values } from "./values.ts";

/** An error of a rank: the rank, and a text that follows its name. */
export interface Fault {
  readonly rank: number;
  readonly problem: string;
}

/** Slices of output need no word for where they are. */
const named = (slice: Slice) => slice.buffer === "output" ? `slice ${slice.index}` : inFull(slice);

const inFull = ({ buffer, index }: Slice) => `${buffer} slice ${index}`;

/** The cause of a wrong slot of output: the first point on the way back where something is amiss. */
export function explain(values: Values, slot: number): Fault {
  const { moves } = values;
  let phase = END;
  let reader = -1;
  const expected = moves.slots.where(slot);
  for (let at = slot;;) {
    const seen = values.seen(at, phase, reader);
    const { rank, slice } = moves.slots.where(at);
    const value = values.at(at, phase, reader);
    if (value === AMBIGUOUS && seen.moves.length + Number(seen.initial) > 1) {
      return { rank, problem: race(values, seen.moves, slice, phase) };
    }
    if (value === UNWRITTEN && seen.initial) {
      const problem = phase === END
        ? `never writes ${
          named(slice)
        } of its output: slice ${rank} of rank ${slice.index}'s input belongs there`
        : `reads ${inFull(slice)}${inPhase(values, phase)} before anything is written there`;
      return { rank, problem };
    }
    if (value >= 0) return wrong(values, expected, value);
    reader = seen.moves[0];
    phase = moves.phase[reader];
    at = moves.from[reader];
  }
}

function race(values: Values, writes: readonly number[], slice: Slice, phase: number): string {
  const { moves } = values;
  if (phase === END) {
    const [first, second] = writes.map((move) => moves.phase[move]);
    const received = writes.every((move) =>
      moves.slots.where(moves.from[move]).rank !== moves.slots.where(moves.to[move]).rank
    );
    const verb = received ? "receives" : "writes";
    return first === second
      ? `${verb} ${named(slice)} twice${inPhase(values, first)}, in no order; write each slice once`
      : `${verb} ${named(slice)} twice,${inPhase(values, first)} and${
        inPhase(values, second)
      }, of which none comes ` +
        `after the other; write each slice once`;
  }
  const other = writes.map((move) => moves.phase[move]).find((p) => p !== phase);
  return other === undefined
    ? `reads and writes ${inFull(slice)}${
      inPhase(values, phase)
    }, in no order; put what comes later in a phase of its own`
    : `reads ${inFull(slice)}${inPhase(values, phase)} while another step${
      inPhase(values, other)
    } may write it; ` +
      `let one of the two come after the other`;
}

function wrong(
  values: Values,
  { rank, slice }: { rank: number; slice: Slice },
  value: number,
): Fault {
  const { ranks, parts } = values.moves.slots;
  const [source, destination] = [
    Math.floor(value / parts / ranks),
    Math.floor(value / parts) % ranks,
  ];
  const got = `slice ${destination} of rank ${source}'s input`;
  const problem =
    `ends with ${got} in slice ${slice.index} of its output${
      lastWrite(values, rank, slice)
    }, not with ` +
    `slice ${rank} of rank ${slice.index}'s`;
  return { rank, problem };
}

function lastWrite(values: Values, rank: number, slice: Slice): string {
  const [last] = values.seen(values.moves.slots.of(rank, slice), END).moves;
  return last === undefined ? "" : `, written${inPhase(values, values.moves.phase[last])}`;
}

const inPhase = ({ moves }: Values, phase: number) =>
  ` in phase "${phaseName(moves.phases[phase])}"`;
