/** Which layers of a model count their rows while a step runs, and for how many of them it has room. @module */
import { isStraight } from "../alltoall/straight.ts";
import { checkedSplit, splitKind } from "../chunking/split.ts";
import { splitOf } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import { isPlain } from "../graph/wire.ts";
import type { ResolvedChoices } from "../layer/choices.ts";
import { countedRows } from "../memory/mod.ts";
import { Status } from "../native/status.ts";
import { type CountedRows, SchemoeError } from "../types.ts";
import type { ModelShape } from "./config.ts";
import type { MoeRows } from "./step_options.ts";

/** Room for the experts of a rank to begin with, and after each step that needed more: parts of equal loads. */
const ROOM = 1.25;

/**
 * Rows that are counted as a Program runs, which is then the same for all steps: on one rank, and on several where every
 * slice of an all-to-all goes straight from its sender to its receiver.
 *
 * On several ranks experts get as many rows as gates choose, and a Program has room for a number of them. A step in which
 * some rank gets more ends before anything is updated, and runs again with more room.
 */
export class CountedSteps {
  readonly #engine: Engine;
  readonly #shape: ModelShape;
  /** By block and microbatch. */
  readonly #rows = new Map<string, readonly CountedRows[]>();
  #room = ROOM;

  constructor(of: { readonly engine: Engine; readonly shape: ModelShape }) {
    this.#engine = of.engine;
    this.#shape = of.shape;
  }

  /** Rows of a layer and how they are split: in one chunk, and where no codec asks for their numbers. */
  split(block: number, choices: ResolvedChoices): MoeRows | undefined {
    const { chunking, dispatch, compressor } = choices;
    const plain = isPlain(compressor.dispatch) && isPlain(compressor.combine);
    if (!plain || dispatch !== "choice" || !this.#counts(choices)) return undefined;
    const counted = this.#of(block, 0);
    const layer = this.#shape.layers[block];
    if (!counted || !("moe" in layer)) return undefined;
    const rows = { capacity: counted[0].rows, counted, routed: true };
    const chunks = checkedSplit(chunking, splitOf(layer.moe, rows));
    return chunks.length === 1 && splitKind(chunks) === "capacity" ? { rows, chunks } : undefined;
  }

  /** The same rows in another microbatch, whose gate chooses others. */
  inMicrobatch(expected: MoeRows, block: number, microbatch: number): MoeRows {
    const { rows } = expected;
    const counted = rows.counted && this.#of(block, microbatch);
    return counted ? { ...expected, rows: { ...rows, counted } } : expected;
  }

  /** Runs a step, again with more room where it had too little. */
  async withRoom<T>(run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        const { ranks } = this.#shape.topology;
        const grows = error instanceof SchemoeError && error.status === Status.noRoom;
        if (!grows || this.#room >= ranks) throw error;
        this.#room *= ROOM;
        this.#rows.clear();
      }
    }
  }

  /** Whether exchanges can go without numbers of rows. */
  #counts({ allToAll }: ResolvedChoices): boolean {
    const { topology } = this.#shape;
    if (!this.#engine.computes) return false;
    if (topology.ranks === 1) return true;
    return this.#engine.counts === true && isStraight(allToAll, topology);
  }

  #of(block: number, microbatch: number): readonly CountedRows[] | undefined {
    const layer = this.#shape.layers[block];
    if (!("moe" in layer)) return undefined;
    const key = `${block} ${microbatch}`;
    let counted = this.#rows.get(key);
    if (!counted) {
      counted = countedRows(layer.moe, this.#room);
      if (counted) this.#rows.set(key, counted);
    }
    return counted;
  }
}
