import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { transportArguments } from "../../lib/engines/cuda.ts";
import { CODECS } from "../../lib/kernels/codecs.ts";
import { KERNELS, TRANSFERS } from "../../lib/kernels/table.ts";
import { EVENT_WORDS, NativeEngine } from "../../lib/native/engine.ts";
import { describeLibrary, libraryPath, openLibrary } from "../../lib/native/library.ts";
import { symbols } from "../../lib/native/symbols.ts";
import { ABI_VERSION, pack } from "../../lib/program/pack.ts";
import { SchemoeError } from "../../lib/types.ts";
import { host } from "../../lib/kernels/mod.ts";
import { topology } from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

const header = () =>
  Deno.readTextFileSync(new URL("../../native/include/schemoe.h", import.meta.url));

/** Declarations of the functions, by name: their C types without names of parameters. */
function declarations(text: string): Map<string, string> {
  const found = text.matchAll(/^(u?int32_t) (schemoe_\w+)\(([^)]*)\)/gm);
  return new Map([...found].map(([, result, name, list]) => [name, `${result} ${name}(${list})`]));
}

/** What Deno must call a C parameter. */
function denoType(parameter: string): string {
  if (/^schemoe_(engine|program)\*\s/.test(parameter)) return "pointer";
  if (parameter.includes("*")) return "buffer";
  const type = parameter.split(" ")[0];
  return { uint32_t: "u32", int32_t: "i32", uint64_t: "u64", size_t: "usize" }[type] ?? type;
}

Deno.test("symbols has every function of the header with its types", () => {
  const declared = declarations(header());
  const asynchronous = Object.entries(symbols).filter(([name]) => name.endsWith("_async"));
  const others = Object.keys(symbols).filter((name) => !/_(async|now)$/.test(name));
  assertEquals(others.sort(), [...declared.keys()].sort());
  for (const [name, entry] of asynchronous) {
    assertEquals<unknown>("name" in entry && entry.name, name.slice(0, -"_async".length));
    assert("nonblocking" in entry && entry.nonblocking);
  }
  assertEquals(symbols.schemoe_run_now.name, "schemoe_run");
  for (const [key, entry] of Object.entries(symbols)) {
    const name = "name" in entry ? entry.name : key;
    const [, result, list] = /^(\w+) \w+\((.*)\)$/.exec(declared.get(name)!)!;
    const parameters = list === "void" ? [] : list.split(",").map((p) => denoType(p.trim()));
    assertEquals([...entry.parameters], parameters, name);
    assertEquals(entry.result, denoType(result), name);
  }
});

Deno.test("the library offers its own functions and nothing of the C++ runtime in it", async () => {
  const { stdout, success } = await new Deno.Command("nm", {
    args: ["-D", "--defined-only", "--format=posix", libraryPath("cpu")],
  }).output();
  assert(success);
  const names = new TextDecoder().decode(stdout).trim().split("\n").map((line) =>
    line.split(" ")[0]
  );
  assertEquals(names.sort(), [...declarations(header()).keys()].sort());
});

Deno.test("symbols shows the header's declaration beside each entry", () => {
  const text = Deno.readTextFileSync(new URL("../../lib/native/symbols.ts", import.meta.url));
  for (const declaration of declarations(header()).values()) {
    assertStringIncludes(text, `// ${declaration}`);
  }
});

Deno.test("describeLibrary() reports the kernels of the table", () => {
  assertEquals(describeLibrary().kernels, { ...KERNELS, ...TRANSFERS });
});

Deno.test("describeLibrary() reports the codecs of the table", () => {
  assertEquals(describeLibrary().codecs, { ...CODECS });
});

Deno.test("describeLibrary() reports the layouts that pack() and the engine write and read", () => {
  const { abi, structs, features } = describeLibrary();
  assertEquals(abi, ABI_VERSION);
  assertEquals(structs.schemoe_event, {
    size: 8 * EVENT_WORDS,
    members: { ready_ns: 0, start_ns: 8, end_ns: 16, wait_ns: 24 },
  });
  assertEquals(structs.schemoe_cuda, {
    size: 4 * transportArguments({})[0].length,
    members: {
      transport: 0,
      emulate_nodes: 4,
      max_ctas: 8,
      devices: 12,
      slot: 16,
      slots: 20,
      copy_by: 24,
      reserved: 28,
    },
  });
  assertEquals(structs.schemoe_config.size, 32);
  const { abi_version, kind, nodes, ranks_per_node } = structs.schemoe_config.members;
  assertEquals([abi_version, kind, nodes, ranks_per_node], [0, 4, 8, 12]);
  assertEquals([typeof features.blas, typeof features.nvtx], ["string", "boolean"]);

  const world = topology({ nodes: 1, ranksPerNode: 1 });
  const g = new GraphBuilder(world, "forward", 1);
  const asking = host(() => {});
  g.add({
    kind: "opaque",
    label: "a",
    chunk: -1,
    stage: 0,
    after: [],
    kernels: () => [asking],
  });
  const graph = g.build({});
  const program = buildProgram(graph, graph.tasks, "test");
  const packed = new DataView(
    pack(program, { place: () => ({ id: 0 }), seconds: () => 0.5 }).bytes.buffer,
  );
  const head = structs.schemoe_program_header;
  const record = structs.schemoe_operation;
  assertEquals(packed.byteLength, head.size + record.size + 2 * 8);
  assertEquals(packed.getUint32(head.members.operations, true), 1);
  assertEquals(packed.getUint32(head.members.words, true), 2);
  assertEquals(packed.getUint32(head.members.names, true), 0);
  assertEquals(packed.getUint32(head.size + record.members.words, true), 2);
  assertEquals(packed.getFloat64(head.size + record.members.seconds, true), 0.5);
});

Deno.test("openLibrary() opens a path once", () => {
  assert(openLibrary(libraryPath("cpu")) === openLibrary(libraryPath("cpu")));
});

Deno.test("openLibrary() throws when there is no library, and says how to build it", () => {
  const path = "/nowhere/libschemoe.so";
  const error = assertThrows(() => openLibrary(path), SchemoeError, path);
  assertStringIncludes(error.message, "build it with: deno task native");
});

Deno.test("openLibrary() throws when the file is no library", async () => {
  const path = await Deno.makeTempFile({ suffix: ".so" });
  await Deno.writeTextFile(path, "not a library");
  assertThrows(() => openLibrary(path), SchemoeError, path);
  await Deno.remove(path);
});

Deno.test("openLibrary() throws when the library has another version, naming both", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/libother.so`;
  await Deno.writeTextFile(
    `${folder}/other.c`,
    "unsigned schemoe_abi_version(void) { return 99; }",
  );
  const compiled = await new Deno.Command("cc", {
    args: ["-shared", "-fPIC", "-o", path, `${folder}/other.c`],
  }).output();
  assert(compiled.success);
  const error = assertThrows(() => openLibrary(path), SchemoeError);
  assertMatch(
    error.message,
    /it has version 99, version 3 is needed; build it with: deno task native/,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("libraryPath() prefers SCHEMOE_LIBRARY", async () => {
  // In a process of its own: the environment is shared with tests that run at the same time.
  const script = `import { libraryPath } from "${
    import.meta.resolve("../../lib/native/library.ts")
  }";
    console.log(libraryPath("cpu"));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    env: { SCHEMOE_LIBRARY: "/elsewhere/libschemoe.so" },
  }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "/elsewhere/libschemoe.so");
});

Deno.test("NativeEngine throws for a shape that cannot be opened", () => {
  assertThrows(
    () => new NativeEngine({ kind: "cpu", nodes: 0, ranksPerNode: 4 }),
    SchemoeError,
    "Cannot open an engine of 0 ranks",
  );
});

Deno.test("NativeEngine refuses what is not a Program", () => {
  const engine = new NativeEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1 });
  const error = assertThrows(
    () => engine.prepare(new Uint8Array(64), 0),
    SchemoeError,
    "Cannot prepare the Program: it does not begin with SMOE",
  );
  assertEquals(error.status, 1);
  engine.close();
  engine.close();
  assertThrows(() => engine.cancel(), SchemoeError, "it is closed");
});

Deno.test("NativeEngine reads and writes off the event loop, several at a time", async () => {
  const engine = new NativeEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });
  try {
    const bytes = 1 << 20;
    const id = await engine.allocateAsync([bytes, bytes]);
    const parts = [0, 1].map((rank) => new Uint8Array(bytes / 2).fill(rank + 1));
    await Promise.all(
      parts.map((data, rank) => engine.writeAsync({ id, rank, offset: bytes / 2 }, data)),
    );
    const read = (rank: number) =>
      engine.readAsync({ id, rank, offset: bytes / 2 - 1 }, new Uint8Array(3));
    const [first, second] = await Promise.all([read(0), read(1)]);
    assertEquals([...first, ...second], [255, 1, 1, 255, 2, 2]);
    const error = await engine.readAsync({ id, rank: 1, offset: bytes - 2 }, new Uint8Array(3))
      .then(() => undefined, (error) => error);
    assert(error instanceof SchemoeError);
    assertEquals([error.status, error.rank], [1, 1]);
    assertEquals(await engine.allocateAsync([8, 8], id), id);
    const refused = await engine.allocateAsync([8]).catch((error) => error);
    assertStringIncludes(refused.message, "1 ranks");
  } finally {
    engine.close();
  }
});

Deno.test("blasCore() names kernels as wide as the processor, or those that OPENBLAS_CORETYPE asks for", async () => {
  const module = new URL("../../lib/native/library.ts", import.meta.url);
  const lock = new URL("../deno.lock", import.meta.url).pathname;
  const { OPENBLAS_CORETYPE: _, ...others } = Deno.env.toObject();
  const core = async (env: Record<string, string>) => {
    const { stdout, success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["eval", "--quiet", "--no-check", `--lock=${lock}`],
        `import { blasCore } from "${module}"; console.log(blasCore(), Deno.env.get("OPENBLAS_CORETYPE"));`,
      ],
      env: { ...others, ...env },
      clearEnv: true,
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split(" ");
  };
  const [found, left] = await core({});
  assertEquals(left, "undefined");
  const flags = /^flags\s*:(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1].split(" ");
  if (!flags?.includes("avx2")) return;
  assert(found !== "Prescott", found);
  assertEquals(await core({ OPENBLAS_CORETYPE: "Haswell" }), ["Haswell", "Haswell"]);
});
