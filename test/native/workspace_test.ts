import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createLayer, openEngine } from "../../mod.ts";
import type { NativeCalls } from "../../lib/native/engine.ts";
import { NativeError } from "../../lib/native/failure.ts";
import { NativeWorkspace } from "../../lib/native/workspace.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("ensure names what there is no memory for, and the largest buffers of its workspace", () => {
  let id = 3;
  const allocate = (bytes: readonly number[]) => {
    if (bytes[0] > 100) {
      throw new NativeError({ status: 2, rank: 1, text: "Cannot allocate 101 bytes" });
    }
    return id++;
  };
  const workspace = new NativeWorkspace({
    native: () => ({ allocate }) as unknown as NativeCalls,
    ranks: 2,
    closed: () => false,
    freed: () => {},
  });
  workspace.ensure({ x: 80, "experts.w1": 90 });
  const error = assertThrows(() => workspace.ensure({ y: 101 }), SchemoeError);
  assertEquals(
    error.message,
    'Cannot allocate 101 bytes; largest: "experts.w1" with 90 bytes a rank, "x" with 80 bytes a rank; ' +
      'fewer tokens, experts or layers a rank, or bfloat16, take less, on rank 1, buffer "y"',
  );
  assertEquals([error.status, error.rank], [2, 1]);
  assertEquals([workspace.nameOf(4), workspace.nameOf(9)], ["experts.w1", undefined]);
});

Deno.test("what is more than the machine has is refused, before the system ends the process for it", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const tokens = 1 << 16;
  // the memory of the machine once, of which a part is always in use
  const modelDim = Math.ceil(Deno.systemMemoryInfo().total / 4 / tokens);
  using layer = createLayer(engine, { tokens, modelDim, hiddenDim: 1, experts: 1 });
  const error = await assertRejects(() => layer.forward(), SchemoeError, "no memory");
  assertStringIncludes(error.message, "fewer tokens, experts or layers a rank");
});

Deno.test("readAll() gives the bytes of every rank, also where the engine reads rank by rank", () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 3, links: "plain" });
  const workspace = engine.workspace();
  workspace.ensure({ x: 8 });
  for (let rank = 0; rank < 3; rank++) workspace.write("x", rank, Int32Array.of(rank, 10 + rank));
  const words = (bytes: Uint8Array<ArrayBuffer>) => [...new Int32Array(bytes.buffer)];
  assertEquals(words(workspace.readAll("x", 8)), [0, 10, 1, 11, 2, 12]);
  assertEquals(words(workspace.readAll("x", 4)), [0, 1, 2]);
  assertThrows(() => workspace.readAll("x", 12), SchemoeError, "of 8");
  assertThrows(() => workspace.readAll("y", 4), SchemoeError, '"y"');
  assertThrows(() => workspace.readAll("x", -4), SchemoeError, "-4");
  const oneByOne = new NativeWorkspace({
    native: () =>
      ({
        allocate: () => 0,
        read: ({ rank }: { rank: number }, data: Uint8Array) => data.fill(rank + 1),
      }) as unknown as NativeCalls,
    ranks: 2,
    closed: () => false,
    freed: () => {},
  });
  oneByOne.ensure({ x: 2 });
  assertEquals([...oneByOne.readAll("x", 2)], [1, 1, 2, 2]);
});

Deno.test("ensureAsync() asks once more where there is no memory, if forgotten workspaces gave some back", async () => {
  for (const found of [true, false]) {
    let free = 0;
    const allocateAsync = ([bytes]: readonly number[]) => {
      if (bytes <= free) return Promise.resolve(0);
      return Promise.reject(new NativeError({ status: 2, text: "Cannot allocate" }));
    };
    const workspace = new NativeWorkspace({
      native: () => ({ allocateAsync }) as unknown as NativeCalls,
      ranks: 1,
      closed: () => false,
      freed: () => {},
      reclaim() {
        if (found) free = 1 << 30;
        return Promise.resolve(found);
      },
    });
    const large = workspace.ensureAsync({ x: 1 << 24 });
    if (found) await large;
    else await assertRejects(() => large, SchemoeError, "Cannot allocate");
    assertEquals([...workspace.buffers.keys()], found ? ["x"] : []);
  }
});
