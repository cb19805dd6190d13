import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  compare,
  createLayer,
  createModel,
  createStack,
  explain,
  openEngine,
  report,
  type Run,
  SchemoeError,
} from "../../mod.ts";
import { tune } from "../../lib/adaptive/mod.ts";
import { simulated } from "../../lib/layer/mod.ts";
import { randomTokens, train } from "../../lib/training/mod.ts";

const sizes = { tokens: 8, modelDim: 8, hiddenDim: 8, experts: 2 };
const cpu = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });

/** All names by which a value may be asked for something. */
function namesOf(value: object): string[] {
  if (value === Object.prototype) return [];
  return [...Object.getOwnPropertyNames(value), ...namesOf(Object.getPrototypeOf(value))];
}

Deno.test("a run that is not awaited says so for each of its fields, and is a promise all the same", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  using stack = createStack(engine, { layer: sizes, layers: 2 });
  const moe = { experts: 2, hiddenDim: 4 };
  const shape = { vocabulary: 5, context: 4, batch: 1, modelDim: 8, attention: { heads: 1 } };
  using model = createModel(engine, { ...shape, layers: [{ moe }] });
  const data = randomTokens({ vocabulary: 5 });
  const dy = new Float32Array(2 * 8 * 8);
  const passes: readonly [what: string, make: () => Promise<object>][] = [
    ["run", () => layer.forward()],
    ["run", () => layer.backward({ dy })],
    ["run", () => layer.forward({ scheduler: "auto" })],
    ["run", () => stack.forward()],
    ["step", () => model.step(new Int32Array(2 * 5))],
    ["training run", () => train(model, { data, steps: 2 })],
  ];
  for (const [what, make] of passes) {
    const promise = make();
    const value = await promise;
    assert(promise instanceof Promise && !(value instanceof Promise));
    assertEquals(await Promise.all([promise]), [value] as object[]);
    const others = new Set(["constructor", "toString"]);
    const names = new Set(namesOf(value).filter((name) => !others.has(name)));
    assert(names.size > 5, what);
    for (const name of names) {
      assertThrows(
        () => promise[name as keyof typeof promise],
        SchemoeError,
        `Cannot read "${name}": got a Promise; write "await" before the ${what}`,
      );
    }
    assertStringIncludes(Deno.inspect(promise), `A Promise; write "await" before the ${what}`);
  }
});

Deno.test("what takes runs or tensors says what a promise lacks", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  const promise = layer.forward();
  const run = promise as unknown as Run;
  await promise;
  const asks: Readonly<Record<string, () => unknown>> = {
    "Cannot explain": () => explain(run),
    "Cannot compare item 0": () => compare([run]),
    "Cannot compare": () => compare(run as unknown as Run[]),
    "Cannot report": () => report(run as unknown as Run[]),
    "Cannot simulate the run": () => simulated(run),
  };
  for (const [cannot, ask] of Object.entries(asks)) {
    assertThrows(ask, SchemoeError, `${cannot}: got a Promise; write "await" before the run`);
  }
  const x = layer.read("x") as unknown as Float32Array;
  assertThrows(() => layer.set({ x }), SchemoeError, 'got a Promise; write "await" before it');
  await x;
});

Deno.test("engines, experts, data and profiles that are promises are told from wrong ones", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  // deno-lint-ignore no-explicit-any
  const later: any = Promise.resolve({});
  const moe = { experts: 2, hiddenDim: 4 };
  const shape = { vocabulary: 5, context: 4, batch: 1, modelDim: 8, attention: { heads: 1 } };
  using model = createModel(engine, { ...shape, layers: [{ moe }] });
  const asks: readonly (() => unknown)[] = [
    () => createLayer(later, sizes),
    () => createLayer(engine, { ...sizes, expert: later }),
    () => train(model, { data: later, steps: 1 }),
    () => tune(layer, { profile: later }),
    () => simulated(layer, later),
  ];
  for (const ask of asks) {
    const add = 'it is a Promise, write "await" before it';
    await assertRejects(async () => await ask(), SchemoeError, add);
  }
});

Deno.test("an unawaited pass that fails rejects as any promise does", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  await assertRejects(() => layer.forward({ scheduler: "optShe" }), SchemoeError, "optShe");
});
