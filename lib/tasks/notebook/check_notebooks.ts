import { root, run } from "../build/command.ts";
import { notebookCode } from "./notebook_code.ts";

/** Type-checks the code of each notebook as one module beside it; gives the exit status. */
export async function checkNotebooks(): Promise<number> {
  const modules: string[] = [];
  try {
    for await (const { name } of Deno.readDir(`${root}/notebooks`)) {
      if (!name.endsWith(".ipynb")) continue;
      const path = `${root}/notebooks/.check-${name.replace(".ipynb", ".ts")}`;
      modules.push(path);
      const cells = notebookCode(await Deno.readTextFile(`${root}/notebooks/${name}`));
      await Deno.writeTextFile(path, [...cells, "export {};"].join("\n;\n"));
    }
    return modules.length === 0 ? 0 : await run([Deno.execPath(), "check", ...modules]);
  } finally {
    for (const path of modules) await Deno.remove(path).catch(() => {});
  }
}
