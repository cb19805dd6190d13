/** Which passes tokens can cross once to a node in. @module */
import type { Layer } from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import type { PassChoices, ResolvedChoices } from "./choices.ts";
import type { ForwardOptions } from "./layer_options.ts";

/** Largest world whose tokens are laid out one by one. */
const MOST_RANKS = 512;

/** @throws {SchemoeError} for a layer or an engine on which tokens cannot cross once to a node. */
export function checkDispatch(
  { layer, engine }: { readonly layer: Layer; readonly engine: Engine },
  { dispatch }: ResolvedChoices,
  { routing, loads }: Pick<ForwardOptions, "routing" | "loads"> = {},
): void {
  if (dispatch === "choice") {
    if (routing === undefined) return;
    throw new SchemoeError(
      'Cannot use the routing: it is for dispatch "node"; give loads (`loadsOf(routing)`), or a gate that repeats it ' +
        "(`replayed`)",
    );
  }
  const fail = (problem: string) => {
    throw new SchemoeError(`Cannot run the pass with dispatch "node": ${problem}`);
  };
  if (layer.prescore) {
    fail(
      `the gate "${layer.gate.name}" weighs the inputs of experts, and a token's copies have one input; ` +
        "weigh the outputs",
    );
  }
  if (engine.representatives) {
    fail("one node stands for all on this engine; simulate every rank");
  }
  const { ranks } = layer.topology;
  if (ranks > MOST_RANKS) {
    fail(`it lays out every token, on at most ${MOST_RANKS} ranks; the world has ${ranks}`);
  }
  if (loads) fail("loads do not say which tokens go where; give a routing");
  if (routing && engine.computes) fail("the gate decides on the routing on this engine");
}

/** @throws {SchemoeError} where `auto` has no all-to-all to choose. */
export function checkAuto({ dispatch }: PassChoices): void {
  if (dispatch === undefined || dispatch === "choice") return;
  throw new SchemoeError(
    `Cannot run the pass with dispatch ${
      quoted(dispatch)
    }: the scheduler "auto" chooses all-to-alls, and it is one; ` +
      "name a scheduler",
  );
}

/** What gates chose in a forward pass whose tokens crossed once. */
interface KeptChoices {
  readonly gathered?: unknown;
}

/** @throws {SchemoeError} unless backward sends rows as forward did. */
export function checkSameDispatch(
  { gathered }: KeptChoices,
  { dispatch }: Pick<ResolvedChoices, "dispatch">,
): void {
  const before = gathered ? "node" : "choice";
  if (before === dispatch) return;
  throw new SchemoeError(
    `Cannot run backward with dispatch "${dispatch}": forward had "${before}", which keeps other values; give both the same`,
  );
}

/** Choices of a backward pass: where dispatch is not given, that of forward. */
export function likeForward<T extends PassChoices>(options: T, kept: KeptChoices | undefined): T {
  if (!kept?.gathered || typeof options !== "object" || options === null) return options;
  return options.dispatch === undefined ? { ...options, dispatch: "node" } : options;
}
