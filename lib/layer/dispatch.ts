/** How often tokens cross to a node: the choice. @module */
import type { Compressor } from "../compressors/types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/** How often a token crosses to a node: for each of its choices there, or once, to be copied there. */
export type Dispatch = "choice" | "node";

/** All of them. */
export const DISPATCHES: readonly Dispatch[] = ["choice", "node"];

/** What captions call the exchange in which tokens cross once. */
export const ONCE_A_NODE = "once a node";

/** The choice of passes and training steps. */
export interface DispatchChoice {
  /**
   * `choice` (the default): a row crosses for each choice of a token. `node`: a token crosses once to each node that
   * has experts for it, to the rank of its own place there, which copies it to the ranks with the experts (as
   * DeepEP does); the results of a rank are added up there, then those of the ranks of a node, rank by rank, and
   * the sum crosses once. Weights cross with the tokens, and in the backward pass the gradients of weights come
   * back with those of the rows.
   *
   * All ranks need to know the choices of all, so that each gate ends a Program by gathering them (8 bytes a choice to
   * every rank): a pass of a layer is two Programs, those of a stack or a model one more than they have gates. Rows, and so gradients of experts, have the bits of the ordinary way; `y` and
   * `grad.x` are sums in another order, the same under each scheduler at equal chunks. It is itself an all-to-all,
   * so that none can be named beside it. A codec codes each row once for each crossing, behind what is copied or added
   * in the nodes; it must be a native one that codes rows one by one. Backward goes as forward did.
   */
  readonly dispatch?: Dispatch;
}

/** Codecs of the two exchanges. */
interface Codecs {
  readonly dispatch: Compressor;
  readonly combine: Compressor;
}

/** @throws {SchemoeError} for an unknown one, and for choices that have no use beside it. */
export function pickDispatch(
  { dispatch = "choice", allToAll }: DispatchChoice & { readonly allToAll?: unknown },
  codecs: Codecs,
): Dispatch {
  if (!DISPATCHES.includes(dispatch)) {
    throw new SchemoeError(
      `Unknown dispatch ${quoted(dispatch)}: choose one of ${DISPATCHES.join(", ")}` +
        didYouMean(`${dispatch}`, DISPATCHES),
    );
  }
  if (dispatch === "choice") return dispatch;
  const fail = (problem: string) => {
    throw new SchemoeError(`Cannot run the pass with dispatch "node": ${problem}`);
  };
  if (allToAll !== undefined) {
    fail("it is an all-to-all of its own; leave allToAll out");
  }
  for (const { name, native, height = 1 } of [codecs.dispatch, codecs.combine]) {
    const why = !native
      ? "is code of your own, which is given the rows for one rank"
      : height > 1
      ? `codes ${height} rows of an expert together`
      : native.seed
      ? "rounds at random by the place at an expert"
      : undefined;
    if (why) fail(`each row that crosses is coded on its own, and the compressor "${name}" ${why}`);
  }
  return dispatch;
}
