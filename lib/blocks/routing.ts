/** Places of experts for the choices of tokens. @module */
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/** How many places an expert has, and which choices get them. */
export interface Routing {
  /**
   * Places of an expert for the tokens of one rank: positive f gives `k * floor(f * ceil(tokens /
   * experts))`; 0 the largest load; negative f the smaller of the largest load and what -f gives.
   * Default 1.
   */
  readonly capacityFactor?: number;
  /** The capacity is rounded up to a multiple of it; default 1. */
  readonly capacityAlignment?: number;
  /**
   * No token is dropped and nothing is padded: each expert computes, and ranks exchange, exactly the rows
   * that there are (`capacityFactor: 0` drops none either, and pads every expert to the largest load).
   * Excludes a capacityFactor other than 0 and a capacityAlignment. Default false.
   */
  readonly dropless?: boolean;
  /**
   * Which tokens get places first: in their order (default), or by descending best score. Either way first choices of all
   * tokens come before second ones, and so on.
   */
  readonly priority?: "tokens" | "scores";
}

const DEFAULTS: Required<Routing> = {
  capacityFactor: 1,
  capacityAlignment: 1,
  dropless: false,
  priority: "tokens",
};

/** Checks a routing and fills in defaults. @throws {SchemoeError} naming the first field that is wrong. */
export function resolveRouting(config: Routing = {}): Required<Routing> {
  const known = Object.keys(DEFAULTS);
  if (typeof config !== "object" || config === null) {
    fail(`routing must be an object with ${known.join(", ")}, got ${quoted(config)}`);
  }
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  const foreign = given.find(([key]) => !known.includes(key));
  if (foreign) {
    const near = didYouMean(foreign[0], known);
    fail(`"${foreign[0]}" is not a field of the routing (${known.join(", ")})${near}`);
  }
  const routing = { ...DEFAULTS, ...Object.fromEntries(given) } as Required<Routing>;
  const { capacityFactor, capacityAlignment, dropless, priority } = routing;
  if (!Number.isFinite(capacityFactor)) {
    fail(`capacityFactor must be a finite number, got ${quoted(capacityFactor)}`);
  }
  if (!Number.isInteger(capacityAlignment) || capacityAlignment < 1) {
    fail(`capacityAlignment must be a positive integer, got ${quoted(capacityAlignment)}`);
  }
  if (typeof dropless !== "boolean") {
    fail(`dropless must be true or false, got ${quoted(dropless)}`);
  }
  if (priority !== "tokens" && priority !== "scores") {
    fail(`priority must be tokens or scores, got ${quoted(priority)}`);
  }
  if (dropless) checkDropless(config);
  return routing;
}

function checkDropless({ capacityFactor = 0, capacityAlignment = 1 }: Routing): void {
  if (capacityFactor !== 0) {
    fail(
      `dropless excludes the capacityFactor ${capacityFactor}, which drops tokens; leave one of them out`,
    );
  }
  if (capacityAlignment !== 1) {
    fail(
      `dropless excludes the capacityAlignment ${capacityAlignment}: there is no padding to align; leave one ` +
        "of them out",
    );
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
