/** Models of other sizes. @module */
import { SchemoeError } from "../../types.ts";
import { didYouMean, quoted } from "../../words.ts";
import type { ModelSpec } from "./spec.ts";

/** Sizes of a model that may be given; the others stay. */
export interface ModelSizes {
  /** Layers with experts; default as in the model. */
  readonly layers?: number;
  /** Width of a token; default as in the model. */
  readonly modelDim?: number;
  /** Width inside an expert; default as in the model. */
  readonly hiddenDim?: number;
  /** Width of the shared expert; default as much smaller as `hiddenDim`. */
  readonly sharedHiddenDim?: number;
  /** Experts with computation; default as in the model. */
  readonly experts?: number;
  /** Experts without computation; default as many fewer as `experts`. */
  readonly identities?: number;
  /** Experts of a token; default as in the model, at most a quarter of `experts`. */
  readonly topK?: number;
  /** Token numbers of tables; default all. */
  readonly vocabulary?: number;
}

const KNOWN: readonly (keyof ModelSizes)[] = [
  ...["layers", "modelDim", "hiddenDim", "sharedHiddenDim", "experts"] as const,
  ...["identities", "topK", "vocabulary"] as const,
];

/** Widths and experts are multiples of it: what ranks of a node divide, and vectors of kernels. */
const STEP = 8;

/**
 * A model with other sizes. A fraction multiplies widths, experts and token numbers, each rounded to a multiple of 8.
 * Experts of a token become fewer where more than a quarter of all would be chosen, and groups where they would
 * have less than two experts; the share of groups that a token may use stays.
 *
 * @throws {SchemoeError} for a fraction that is none, an unknown size, or more choices than experts.
 */
export function scaled(spec: ModelSpec, to: number | ModelSizes): ModelSpec {
  return resized(spec, typeof to === "number" ? fractionOf(spec, to) : checked(spec, to));
}

const rounded = (size: number): number => Math.max(STEP, STEP * Math.round(size / STEP));

function fractionOf(spec: ModelSpec, fraction: number): ModelSizes {
  if (!(Number.isFinite(fraction) && fraction > 0)) {
    fail(spec, `the fraction must be a positive number, got ${quoted(fraction)}`);
  }
  const { router: { hash } } = spec;
  return {
    modelDim: rounded(fraction * spec.modelDim),
    hiddenDim: rounded(fraction * spec.hiddenDim),
    experts: rounded(fraction * spec.experts),
    ...(hash ? { vocabulary: rounded(fraction * hash.vocabulary) } : {}),
  };
}

function checked(spec: ModelSpec, sizes: ModelSizes): ModelSizes {
  if (typeof sizes !== "object" || sizes === null) {
    fail(spec, `give a fraction or an object with ${KNOWN.join(", ")}, got ${quoted(sizes)}`);
  }
  for (const [name, size] of Object.entries(sizes)) {
    if (!KNOWN.includes(name as keyof ModelSizes)) {
      fail(spec, `"${name}" is not a size (${KNOWN.join(", ")})${didYouMean(name, KNOWN)}`);
    }
    if (!Number.isInteger(size) || size < 1) {
      fail(spec, `${name} must be a positive integer, got ${quoted(size)}`);
    }
  }
  return sizes;
}

function resized(spec: ModelSpec, sizes: ModelSizes): ModelSpec {
  const { modelDim = spec.modelDim, hiddenDim = spec.hiddenDim, experts = spec.experts } = sizes;
  const topK = sizes.topK ?? Math.min(spec.topK, Math.max(1, Math.ceil(experts / 4)));
  if (topK > experts) fail(spec, `topK ${topK} is more than the ${experts} experts`);
  const { shared, router } = spec;
  const width = hiddenDim / spec.hiddenDim;
  const { groups = 1, groupLimit = groups, hash, identities, active } = router;
  const runs = groupsOf({ groups, experts });
  return {
    ...spec,
    layers: sizes.layers ?? spec.layers,
    modelDim,
    hiddenDim,
    experts,
    topK,
    ...(shared
      ? {
        shared: {
          ...shared,
          hiddenDim: sizes.sharedHiddenDim ?? rounded(width * shared.hiddenDim),
        },
      }
      : {}),
    router: {
      ...router,
      ...(groups > 1
        ? { groups: runs, groupLimit: limitOf({ runs, topK, experts, share: groupLimit / groups }) }
        : {}),
      ...(identities
        ? { identities: sizes.identities ?? rounded(identities * experts / spec.experts) }
        : {}),
      ...(active === undefined ? {} : { active: active * topK / spec.topK }),
      ...(hash ? { hash: { ...hash, vocabulary: sizes.vocabulary ?? hash.vocabulary } } : {}),
    },
    expertParallel: Math.min(spec.expertParallel, experts),
  };
}

/** Most groups, no more than there were, of two or more experts each. */
function groupsOf({ groups, experts }: { readonly groups: number; readonly experts: number }) {
  let runs = Math.min(groups, Math.floor(experts / 2)) || 1;
  while (experts % runs) runs--;
  return runs;
}

/** The same share of the groups, and enough of them for all choices. */
function limitOf({ runs, topK, experts, share }: {
  readonly runs: number;
  readonly topK: number;
  readonly experts: number;
  readonly share: number;
}): number {
  return Math.max(Math.ceil(share * runs), Math.ceil(topK / (experts / runs)));
}

function fail(spec: ModelSpec, problem: string): never {
  throw new SchemoeError(`Cannot scale the model ${spec.name}: ${problem}`);
}
