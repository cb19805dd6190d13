import { assertEquals } from "@std/assert";
import { writeKernel } from "../../lib/tasks/notebook/kernel.ts";

Deno.test("writeKernel() writes a kernel of this Deno, stopped by a message", async () => {
  const data = await Deno.makeTempDir();
  const kernel = JSON.parse(await Deno.readTextFile(`${await writeKernel(data)}/kernel.json`));
  assertEquals(kernel.argv[0], Deno.execPath());
  assertEquals(kernel.interrupt_mode, "message");
  await Deno.remove(data, { recursive: true });
});
