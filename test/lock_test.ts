import { assert, assertEquals } from "@std/assert";

interface Lock {
  readonly specifiers: Record<string, string>;
  readonly npm: Record<string, unknown>;
}

const read = (name: string): Lock =>
  JSON.parse(Deno.readTextFileSync(`${import.meta.dirname}/${name}`));
const runtime = "npm:onnxruntime-node@1.30.0";
/** Drives the browser in which Jupyter's page is looked at; 34 MB with its dependencies. */
const puppeteer = "npm:puppeteer-core@25.16.0";

Deno.test("deno.lock leaves out ONNX Runtime and puppeteer, which every task would fetch", async () => {
  // As committed: a notebook that is executed meanwhile may have written to it.
  const { success, stdout } = await new Deno.Command("git", {
    args: ["show", "HEAD:deno.lock"],
    cwd: import.meta.dirname,
    stderr: "null",
  }).output();
  const lock: Lock = success ? JSON.parse(new TextDecoder().decode(stdout)) : read("../deno.lock");
  assertEquals(Object.keys(lock.npm).filter((name) => /^(onnx|puppeteer)/.test(name)), []);
});

Deno.test("test/deno.lock is deno.lock with ONNX Runtime and puppeteer", () => {
  const [usual, tests] = [read("../deno.lock"), read("deno.lock")];
  assertEquals(tests.specifiers, {
    ...{ ...usual.specifiers, [runtime]: "1.30.0", [puppeteer]: "25.16.0" },
  });
  for (const [name, entry] of Object.entries(usual.npm)) assertEquals(tests.npm[name], entry, name);
  assert("onnxruntime-common@1.30.0" in tests.npm);
});
