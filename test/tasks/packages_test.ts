import { assertRejects } from "@std/assert";
import { ensurePackages } from "../../lib/tasks/build/packages.ts";
import { SchemoeError } from "../../lib/types.ts";

Deno.test("ensurePackages() does nothing when all is there", async () => {
  await ensurePackages({ "no-such-package": ["true"] });
});

Deno.test({
  name: "ensurePackages() names the command to run when not root",
  ignore: Deno.uid() === 0, // as root it would install
  fn: async () => {
    await assertRejects(
      () => ensurePackages({ "no-such-package": ["false"] }),
      SchemoeError,
      "run: sudo apt-get install -y --no-install-recommends no-such-package",
    );
  },
});
