import { assertEquals } from "@std/assert";
import { atSpeed, calibrate } from "../../lib/adaptive/mod.ts";
import { openEngine } from "../../mod.ts";

Deno.test("atSpeed() scales what tasks in a queue need as much as what they take alone", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const profile = await calibrate(engine, { codecs: [] });
  const kinds = profile.kinds.map((fit) => ({ ...fit, busy: fit }));
  for (const { alpha, perFlop, perByte, busy } of atSpeed({ ...profile, kinds }, 0.5).kinds) {
    assertEquals([busy!.alpha, busy!.perFlop, busy!.perByte], [alpha, perFlop, perByte]);
  }
});
