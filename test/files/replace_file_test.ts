import { assert, assertEquals, assertRejects } from "@std/assert";
import { replaceFile, replaceFiles, writeAll } from "../../lib/files/replace_file.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("replaceFiles() replaces all files or none", async () => {
  await withFolder(async (folder) => {
    const [a, b] = [`${folder}/a`, `${folder}/b`];
    await Deno.writeTextFile(a, "old a");
    const write = (text: string) => (file: Deno.FsFile) => writeAll(file, bytes(text));
    const failing = () => Promise.reject(new Error("no room"));
    await assertRejects(() => replaceFiles([[a, write("new a")], [b, failing]]), Error, "no room");
    assertEquals(await Deno.readTextFile(a), "old a");
    const late = () => Promise.reject(new Error("too late"));
    const both = [[a, write("new a")], [b, write("new b")]] as const;
    await assertRejects(() => replaceFiles(both, late), Error, "too late");
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["a"]);
    await replaceFiles(both);
    assertEquals([await Deno.readTextFile(a), await Deno.readTextFile(b)], ["new a", "new b"]);
  });
});

Deno.test("replaceFile() writes to what is no file, and leaves it what it is", async () => {
  await withFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    assert((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    await Deno.symlink(pipe, `${folder}/link`);
    const read = Deno.readTextFile(pipe);
    await replaceFile(`${folder}/link`, (file) => writeAll(file, bytes("through it")));
    assert((await Deno.stat(pipe)).isFifo);
    assertEquals(await read, "through it");
  });
});
