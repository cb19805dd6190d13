import { assertEquals, assertThrows } from "@std/assert";
import { jupyterArguments, notebookOptions } from "../../lib/tasks/notebook/notebook_options.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("notebookOptions() leaves what it does not know to Jupyter", () => {
  assertEquals(notebookOptions(["--", "--engine", "cuda", "--no-browser", "--port=8889"]), {
    engine: "cuda",
    execute: false,
    rest: ["--no-browser", "--port=8889"],
  });
  assertEquals(notebookOptions([]), { engine: undefined, execute: false, rest: [] });
});

Deno.test("notebookOptions() takes notebooks to run", () => {
  assertEquals(notebookOptions(["--run", "a.ipynb", "--engine=cpu", "b.ipynb"]), {
    engine: "cpu",
    execute: true,
    rest: ["a.ipynb", "b.ipynb"],
  });
});

Deno.test("jupyterArguments() lets root start Jupyter, and nobody else as root", () => {
  assertEquals(jupyterArguments(["--no-browser"], 0), ["--allow-root", "--no-browser"]);
  assertEquals(jupyterArguments(["--allow-root"], 0), ["--allow-root"]);
  assertEquals([jupyterArguments(["-x"], 1000), jupyterArguments([], null)], [["-x"], []]);
});

const bad: Record<string, { args: string[]; says: string }> = {
  "another engine": { args: ["--engine", "gpu"], says: 'Unknown engine "gpu": choose from cpu' },
  "an engine without a name": { args: ["--engine"], says: 'Unknown engine ""' },
  "no notebook": { args: ["--run"], says: "none is named" },
  "an option beside notebooks": { args: ["--run", "a.ipynb", "--all"], says: 'option "--all"' },
};
for (const [name, { args, says }] of Object.entries(bad)) {
  Deno.test(`notebookOptions() refuses ${name}`, () => {
    assertThrows(() => notebookOptions(args), SchemoeError, says);
  });
}
