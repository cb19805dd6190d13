/**
 * Calls every exported function with arguments that are wrong, in a process of its own, so that a call that never
 * ends can be stopped. Tells the name of each call before it, what it threw where that was no SchemoeError, and at last a summary.
 */
import { SchemoeError } from "../../mod.ts";
import { rightCalls } from "./calls.ts";
import { TOLD, type Told } from "./told.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Values that are right hardly anywhere. */
const ODD: Readonly<Record<string, unknown>> = {
  ...{ undefined, null: null, symbol: Symbol("x"), true: true, bigint: 3n },
  ...{ "3": 3, NaN, "-1": -1, "0.5": 0.5, "1e15": 1e15, "2^60": 2 ** 60, Infinity },
  ...{ '"x"': "x", '""': "", "{}": {}, "[]": [], "[null]": [null], "[undefined]": [undefined] },
  ...{ "{ bogus }": { bogus: 1 }, promise: Promise.resolve(1), map: new Map([["a", null]]) },
  function: () => undefined,
  "object without prototype": Object.create(null),
};
/** Values of options that take numbers or others. */
const ODD_FIELDS = [
  "null",
  "symbol",
  "NaN",
  "-1",
  "0.5",
  "1e15",
  '"x"',
  "{}",
  "[null]",
  "function",
];

/** What runs minutes, waits for others by its nature or opens sockets when it is asked rightly. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  ...{ spawnWorkers: "starts processes", gatherWorkers: "waits for processes" },
  ...{ serveWorker: "waits for a process", interruptSignal: "takes no arguments" },
  ...{ scclTable: "takes no arguments", allToAllsAtScale: "minutes without options" },
  ...{ allToAllSizes: "minutes without options", simulateModels: "minutes without options" },
  ...{ paperGrid: "minutes without options", paperTables: "seconds without options" },
  ...{ explainAblation: "seconds without options", findings: "made of minutes of tables" },
  ...{ tecclTable: "seconds without options", calibrate: "minutes of measuring" },
};
/** What throws by the language: an array's constructor, and an error's. */
const EXCUSED = new Set(["SchemoeError", "CodecStudy", "RouterStudy"]);

/** Data and descriptions with fields of their own beside those that are read: not options. */
const TOLERANT = new Set([
  ...["eplb", "predictingLayer", "pipeMoeChunks", "makeTimeline", "computeSeconds", "shadowed"],
  ...["lowerBound", "allToAllBound", "proveAllToAll", "allToAllBounds", "sharedExpertStudy"],
  ...["copyBytes", "softmax", "kindOf"],
  ...["fasterMoeChoice", "gemm", "uniformRouting", "zipfRouting", "resolveLayer", "acrossLayers"],
]);

const tell = (told: Told): void =>
  // functions print lines of their own
  console.log(`${TOLD}${JSON.stringify(told)}`);
let calls = 0;

async function attempt(name: string, run: () => unknown): Promise<unknown> {
  calls++;
  tell({ call: name });
  try {
    const value = await run();
    (value as { close?: () => void } | undefined)?.close?.();
    return undefined;
  } catch (error) {
    if (!(error instanceof SchemoeError)) tell({ fault: `${name}: ${error}` });
    return error;
  }
}

const config = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
Deno.chdir(Deno.makeTempDirSync());
const names = new Map<Any, string>();
for (const path of Object.values<string>(config.exports)) {
  for (const [name, value] of Object.entries(await import(`../../${path.slice(2)}`))) {
    if (typeof value === "function" && !names.has(value)) names.set(value, name);
  }
}

// each function with one argument, or none
for (const [call, name] of names) {
  if (Object.hasOwn(LEFT_OUT, name) || EXCUSED.has(name)) continue;
  const isClass = /^class\b/.test(Function.prototype.toString.call(call));
  const made = (args: readonly unknown[]) => isClass ? new call(...args) : call(...args);
  await attempt(`${name}()`, () => made([]));
  for (const [odd, value] of Object.entries(ODD)) {
    await attempt(`${name}(${odd})`, () => made([value]));
  }
}

// each argument, and each field of an object of options, while all others are right
for (const [call, args] of await rightCalls()) {
  const name = names.get(call)!;
  const at = (i: number, value: unknown) => () =>
    call(...args.map((arg, j) => j === i ? value : arg) as never[]);
  const right = await attempt(`${name}(right)`, () => call(...args as never[]));
  if (right !== undefined && name !== "routerStudy" && name !== "gemm") {
    tell({ fault: `${name}: the right call is wrong: ${right}` });
  }
  for (const [i, arg] of args.entries()) {
    for (const [odd, value] of Object.entries(ODD)) {
      await attempt(`${name}(... ${odd} as argument ${i + 1})`, at(i, value));
    }
    // options are plain objects at the end of the list
    const isOptions = Object.getPrototypeOf(Object(arg)) === Object.prototype;
    if (!isOptions || i < args.length - 1) continue;
    const wrong = `${name}(... { bogus } among options)`;
    const error = await attempt(wrong, at(i, { ...arg as object, bogus: 1 }));
    if (error === undefined && !TOLERANT.has(name)) tell({ fault: `${wrong} is accepted` });
    for (const field of Object.keys(arg as object)) {
      for (const odd of ODD_FIELDS) {
        const of = `${name}(... ${field}: ${odd})`;
        await attempt(of, at(i, { ...arg as object, [field]: ODD[odd] }));
      }
    }
  }
}
tell({ functions: names.size, calls });
Deno.exit();
