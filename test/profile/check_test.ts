import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { type Compressor, compressor } from "../../lib/compressors/mod.ts";
import { calibrate, loadProfile, parseProfile, saveProfile } from "../../lib/adaptive/mod.ts";
import { createLayer, simulated } from "../../lib/layer/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { kindOf, type MachineProfile } from "../../lib/profile/mod.ts";
import { SchemoeError } from "../../lib/types.ts";

const layer = { tokens: 32, modelDim: 32, hiddenDim: 32, experts: 4 };
const engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
const made = calibrate(engine, { layer, codecs: ["int8"], seconds: 1000 });

const plain = (name: string, times: number): Compressor => ({
  name,
  wireBytes: ({ rows, columns }) => 4 * rows * columns,
  encode: times === 1
    ? (values) => new Uint8Array(values.slice().buffer)
    : (values) => new Uint8Array(values.map((value) => value).buffer as ArrayBuffer),
  decode: (bytes) => new Float32Array(bytes.slice().buffer),
});

Deno.test("parseProfile() names what is damaged, and so do predictions by such a value", async () => {
  const profile = await made;
  // deno-lint-ignore no-explicit-any
  const damages: readonly (readonly [(at: any) => unknown, string])[] = [
    [(at) => at.links.intra.beta.value = null, "has links.intra.beta.value null"],
    [(at) => at.links.inter.alpha.value = "1", 'has links.inter.alpha.value "1"'],
    [(at) => at.links.local = {}, "has links.local.value undefined"],
    [(at) => at.links.corrections = "x", 'has links.corrections "x"'],
    [(at) => at.kinds[0].corrections = [{ seconds: 1, factor: -1 }], "has kinds[0].corrections"],
    [(at) => at.kinds[1].perByte.value = -1, "has kinds[1].perByte.value -1"],
    [(at) => at.kinds[1] = null, "has kinds[1].kind undefined"],
    [(at) => at.launch.transfer.wait = "0", 'has launch.transfer.wait "0"'],
    [(at) => at.slowdown.compute = 0, "has slowdown.compute 0"],
    [(at) => at.machine = {}, "has machine.os undefined"],
    [(at) => at.engine.nodes = "1", 'has engine.nodes "1", not an integer above 0'],
    [(at) => at.speed = 0, "has speed 0, not a number above 0"],
    [(at) => at.probe = { seconds: "1" }, 'has probe.seconds "1", not a number of seconds'],
    [(at) => at.processors = 3, "has processors.capacity undefined"],
    [(at) => at.processors = { capacity: 0 }, "has processors.capacity 0"],
    [
      (at) => at.processors = { capacity: 2, ranks: [1, 0] },
      "has processors.ranks [1, 0], not 2 numbers above 0",
    ],
    [(at) => at.processors = { capacity: 2, ranks: [1] }, "not 2 numbers above 0"],
    [(at) => at.processors = { capacity: 2, turns: {} }, "has processors.turns.count undefined"],
    [
      (at) => at.processors = { capacity: 2, turns: { count: 1.5 } },
      "has processors.turns.count 1.5, not an integer above 0",
    ],
    [
      (at) => at.processors = { capacity: 2, turns: { count: 2, slice: -1 } },
      "has processors.turns.slice -1, not a number of seconds",
    ],
    [
      (at) => at.processors = { capacity: 2, turns: { count: 2, transfers: "last" } },
      'has processors.turns.transfers "last", not one of "inTurn", "first"',
    ],
  ];
  for (const [damage, text] of damages) {
    const copy = JSON.parse(JSON.stringify(profile)) as MachineProfile;
    damage(copy);
    assertThrows(() => parseProfile(JSON.stringify(copy)), SchemoeError, text);
    assertThrows(() => simulated(createLayer(engine, layer), copy), SchemoeError, text);
  }
  assertEquals(parseProfile(JSON.stringify(profile)), profile);
});

Deno.test("saveProfile() replaces the file as a whole", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/profile.json`;
  await saveProfile(await made, path);
  await saveProfile(await made, path);
  assertEquals(await loadProfile(path), await made);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["profile.json"]);
  await assertRejects(
    async () => await saveProfile(await made, `${folder}/no/x.json`),
    SchemoeError,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("calibrate() measures anew where a kept profile lacks a codec, or is of another version", async () => {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  const given = { layer, path, seconds: 1000, drift: 1e9 };
  const first = await calibrate(engine, { ...given, codecs: ["int8"] });
  assertEquals((await calibrate(engine, { ...given, codecs: ["int8"] })).date, first.date);
  const second = await calibrate(engine, { ...given, codecs: ["fp8"] });
  assertMatch(second.replaces!, /the profile has no "compress encode:fp8/);
  assert(second.kinds.some(({ kind }) => kind.includes("encode:fp8")));
  await Deno.writeTextFile(path, JSON.stringify({ ...second, version: 1 }));
  const third = await calibrate(engine, { ...given, codecs: [] });
  assertEquals([third.version, third.replaces], [
    4,
    "it has version 1 of the format, this one is 4",
  ]);
  const elsewhere = { ...second, versions: { ...second.versions, package: "0.0.1" } };
  await saveProfile(elsewhere, path);
  const { replaces } = await calibrate(engine, { ...given, codecs: [] });
  assertMatch(replaces!, /^it was made by version 0.0.1 of the package, this is /);
  await Deno.writeTextFile(path, JSON.stringify({ ...second, kinds: 5 }));
  for (
    const says of ["has kinds 5, not a list", "give calibrate another path, or remove the file"]
  ) {
    await assertRejects(() => calibrate(engine, given), SchemoeError, says);
  }
  await Deno.remove(path);
});

Deno.test("calibrate() refuses what it cannot measure or write, before it measures", async () => {
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ codecs: "int8" }, 'codecs is "int8", not a list'],
    [{ codecs: ["int9"] }, 'Unknown compressor "int9"'],
    [{ layer: null }, "layer is null"],
    [{ drift: NaN }, "drift is NaN"],
    [{ path: 5 }, "path is 5"],
    [{ path: "/no/such/folder/x.json" }, "there is no folder /no/such/folder"],
    [{ path: "/proc/x.json" }, "Cannot write /proc/x.json: its folder takes no new file"],
    [{ path: "/tmp" }, "Cannot write /tmp: it is no file"],
  ];
  for (const [options, text] of wrong) {
    await assertRejects(
      () => calibrate(engine, { layer, ...options } as never),
      SchemoeError,
      text,
    );
  }
});

Deno.test("kindOf() tells codecs of a user's own apart, by name and by source", async () => {
  const source = (scale: number) =>
    compressor({ name: "mine", wireBytes: (r, c) => 4 * r * c, cpu: `// ${scale}` });
  const kinds: string[] = [];
  for (const codec of [plain("a", 1), plain("b", 1), plain("a", 2), source(1), source(2)]) {
    const run = await createLayer(engine, layer).forward({ compressor: codec });
    const tasks = run.ran.flatMap(({ program }) => program.order);
    kinds.push(kindOf(tasks.find(({ label }) => label === "C1")!));
  }
  assertEquals(new Set(kinds).size, kinds.length, kinds.join("\n"));
  const profile = await calibrate(engine, { layer, codecs: [plain("a", 1)], seconds: 1000 });
  const predicted = simulated(createLayer(engine, layer), profile);
  await predicted.forward({ compressor: plain("a", 1) });
  for (const other of [plain("b", 1), plain("a", 2), source(1)]) {
    await assertRejects(() => predicted.forward({ compressor: other }), SchemoeError, "has no");
  }
  assertNotEquals(kinds[0], kinds[1]);
});
