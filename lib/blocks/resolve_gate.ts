/** The gate of a layer, by value or by name. @module */
import * as gates from "./gates/mod.ts";
import type { Gate } from "./gates/types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/**
 * Looks up a gate by name and checks one given as a value.
 * @throws {SchemoeError} for an unknown name, a missing function or a `k` that does not fit the experts.
 */
export function resolveGate(given: Gate | string | undefined, experts: number): Gate {
  const gate = typeof given === "string" ? named(given) : given ?? gates.topK();
  if (typeof gate === "function") {
    fail("gate is a function; call it, if it makes one, as in topK({ k: 2 })");
  }
  for (const name of ["forward", "backward", "flops"] as const) {
    if (typeof gate?.[name] !== "function") fail(`gate has no function "${name}"`);
  }
  const { name, k, weighs = "output" } = gate;
  if (typeof name !== "string" || name === "") {
    fail(`gate must have a name, by which runs are told apart, got ${quoted(name)}`);
  }
  if (!Number.isInteger(k) || k < 1) {
    fail(`k of the gate ${name} must be a positive integer, got ${quoted(k)}`);
  }
  const rows = experts + (gate.identities ?? 0);
  if (k > rows) fail(`k ${k} of the gate ${name} is more than the ${rows} experts there are`);
  if (weighs !== "output" && weighs !== "input") {
    fail(`weighs of the gate ${name} must be output or input, got ${quoted(weighs)}`);
  }
  return gate;
}

/** Functions that make something without options: gates, and logits for them. */
const MAKERS = new Map(
  Object.entries(gates).flatMap(([name, make]) =>
    make.length === 0 ? [[name, make as () => Partial<Gate>] as const] : []
  ),
);

function named(name: string): Gate {
  const made = MAKERS.get(name)?.();
  if (made && isGate(made)) return made;
  if (Object.hasOwn(gates, name)) {
    fail(
      made
        ? `"${name}" makes logits, not a gate; give a gate with them, as in topK({ logits: ${name}() })`
        : `the gate "${name}" is made with options; call it, and give what it returns`,
    );
  }
  const names = [...MAKERS].flatMap(([name, make]) => isGate(make()) ? [name] : []);
  fail(
    `unknown gate "${name}", choose one of ${names.join(", ")}, or give a value of your own` +
      didYouMean(name, names),
  );
}

/** Told from logits, which have neither. */
const isGate = (made: Partial<Gate>): made is Gate =>
  made.name !== undefined && made.k !== undefined;

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
