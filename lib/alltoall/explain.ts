/** Says in words why a plan does not bring a slice where it belongs. @module */
import type { Slice } from "./types.ts";
import type { Moves } from "./moves.ts";
import { phaseName } from "./plan.ts";
import { END } from "./phase_order.ts";
import type { Race } from "./races.ts";
import { UNWRITTEN, type Values } from "./values.ts";

/** An error of a rank: the rank, and a text that follows its name. */
export interface Fault {
  readonly rank: number;
  readonly problem: string;
}

/** Slices of output need no word for where they are. */
const named = (slice: Slice) => slice.buffer === "output" ? `slice ${slice.index}` : inFull(slice);

const inFull = ({ buffer, index }: Slice) => `${buffer} slice ${index}`;

/**
 * The cause of a wrong slot of output: the first point on the way back where something is amiss.
 * @param belonging the value that belongs there.
 */
export function explain(values: Values, slot: number, belonging: number): Fault {
  const { moves } = values;
  let phase = END;
  let reader = -1;
  const expected = moves.slots.where(slot);
  for (let at = slot;;) {
    const seen = values.seen(at, phase, reader);
    const { rank, slice } = moves.slots.where(at);
    const value = values.at(at, phase, reader);
    if (value === UNWRITTEN && seen.initial) {
      const problem = phase === END
        ? `never writes ${named(slice)} of its output: ${
          valueText(values, belonging)
        } belongs there`
        : `reads ${inFull(slice)}${inPhase(values, phase)} before anything is written there`;
      return { rank, problem };
    }
    if (value >= 0) return wrong(values, expected, value, belonging);
    reader = seen.moves[0];
    phase = moves.phase[reader];
    at = faultyAddend(values, reader);
  }
}

/** Two unordered accesses in words; they follow the name of their rank. */
export function raceText(
  moves: Pick<Moves, "phases">,
  { slice, first, phases: [one, other], received = false }: Omit<Race, "rank">,
): string {
  const inPhase = (phase: number) => ` in phase "${phaseName(moves.phases[phase])}"`;
  if (first === "writes") {
    const verb = received ? "receives" : "writes";
    return one === other
      ? `${verb} ${named(slice)} twice${inPhase(one)}, in no order; write each slice once`
      : `${verb} ${named(slice)} twice,${inPhase(one)} and${inPhase(other)}, of which none comes ` +
        `after the other; write each slice once`;
  }
  return one === other
    ? `reads and writes ${inFull(slice)}${
      inPhase(one)
    }, in no order; put what comes later in a phase of its own`
    : `reads ${inFull(slice)}${inPhase(one)} while another step${inPhase(other)} may write it; ` +
      `let one of the two come after the other`;
}

/** The slot that a move reads which makes its value ambiguous or missing. */
function faultyAddend(values: Values, move: number): number {
  const { moves: { from, added, phase } } = values;
  const slots = [from[move], ...added.get(move) ?? []];
  return slots.find((slot) => values.at(slot, phase[move], move) < 0) ?? from[move];
}

function wrong(
  values: Values,
  { rank, slice }: { rank: number; slice: Slice },
  value: number,
  belonging: number,
): Fault {
  const [got, wanted] = [value, belonging].map((sum) => values.sums.terms(sum));
  const where = `in slice ${slice.index} of its output${lastWrite(values, rank, slice)}`;
  if (got.length === 1 && wanted.length === 1) {
    const owner = valueText(values, belonging).replace(/ input$/, "");
    return { rank, problem: `ends with ${valueText(values, value)} ${where}, not with ${owner}` };
  }
  const [more, less] = [without(got, wanted), without(wanted, got)].map((terms) =>
    terms.map((term) => valueText(values, term)).join(", ")
  );
  const parts = [...(more ? [`${more} too much`] : []), ...(less ? [`${less} missing`] : [])];
  return { rank, problem: `ends with ${parts.join(" and ")} in the sum ${where}` };
}

/** Terms of one sum that another does not have, as often as they are too many. */
function without(terms: readonly number[], others: readonly number[]): number[] {
  const left = [...others];
  return terms.filter((term) => {
    const at = left.indexOf(term);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** A value or a sum in words. */
function valueText({ sums, moves: { slots } }: Values, value: number): string {
  const terms = sums.terms(value).map((term) => {
    const { rank, index } = slots.origin(term);
    return `slice ${index} of rank ${rank}'s input`;
  });
  return terms.length === 1 ? terms[0] : `the sum of ${terms.join(", ")}`;
}

function lastWrite(values: Values, rank: number, slice: Slice): string {
  const [last] = values.seen(values.moves.slots.of(rank, slice), END).moves;
  return last === undefined ? "" : `, written${inPhase(values, values.moves.phase[last])}`;
}

const inPhase = ({ moves }: Values, phase: number) =>
  ` in phase "${phaseName(moves.phases[phase])}"`;
