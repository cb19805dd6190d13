import { assertEquals, assertThrows } from "@std/assert";
import type { NativeCalls } from "../../lib/native/engine.ts";
import { NativeWorkspace } from "../../lib/native/workspace.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("ensure names the buffers of its workspace where the library has numbers", () => {
  let id = 3;
  const full = "Cannot allocate a buffer: no memory; largest: buffer #4 with 90 bytes, " +
    "buffer #3 with 80 bytes, buffer #40 with 70 bytes";
  const allocate = (bytes: readonly number[]) => {
    if (bytes[0] > 100) throw new SchemoeError(full, { status: 2, rank: 1 });
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
    'Cannot allocate a buffer: no memory; largest: buffer "experts.w1" with 90 bytes, ' +
      'buffer "x" with 80 bytes, buffer #40 with 70 bytes',
  );
  assertEquals([error.status, error.rank], [2, 1]);
});
