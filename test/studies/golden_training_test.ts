import { assertStringIncludes, assertThrows } from "@std/assert";
import { parseGoldenTraining } from "../../lib/studies/golden_training.ts";
import { SchemoeError } from "../../lib/types.ts";

const good = Deno.readFileSync(new URL("../golden/training/tiny.safetensors", import.meta.url));

/** The reference run with another header. */
// deno-lint-ignore no-explicit-any
function changed(change: (header: any) => void): Uint8Array {
  const end = 8 + Number(new DataView(good.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(good.subarray(8, end)));
  change(header);
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + good.length - end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(good.subarray(end), 8 + json.length);
  return bytes;
}

const withConfig = (fields: object) =>
  changed((header) => {
    const config = { ...JSON.parse(header.__metadata__.config), ...fields };
    header.__metadata__.config = JSON.stringify(config);
  });

Deno.test("parseGoldenTraining() names the field or tensor that no reference run has", () => {
  const says = (bytes: Uint8Array, message: string) =>
    assertStringIncludes(
      assertThrows(() => parseGoldenTraining(bytes, "x"), SchemoeError).message,
      `Cannot read x: ${message}`,
    );
  parseGoldenTraining(withConfig({}), "x");
  says(withConfig({ blocks: 5 }), 'its "blocks" is 5, not a list of moe and ffn');
  says(withConfig({ blocks: ["conv"] }), 'its "blocks" is ["conv"]');
  says(withConfig({ ranks: "2" }), 'its "ranks" is "2", not a positive integer');
  says(withConfig({ expert: "conv" }), 'unknown expert "conv", known are ');
  says(withConfig({ activation: "tanh" }), 'unknown activation "tanh"');
  says(withConfig({ hiddenDim: 0 }), 'its "hiddenDim" is 0, not a positive integer');
  says(withConfig({ blocks: ["moe", "ffn"] }), 'its "denseHiddenDim" is 0');
  says(
    withConfig({ optimizer: { kind: "adamw", decayed: ["head", "heads"] } }),
    'its "optimizer.decayed" is no list of its parameters: it has "heads"',
  );
  says(withConfig({ optimizer: null }), 'its "optimizer" is null');
  says(withConfig({ schedule: undefined }), 'its "schedule" is undefined');
  says(withConfig({ steps: 1e6 }), 'its tensor "tokens" has 5280 values, its "config" needs');
  says(changed((header) => header.__metadata__.config = '{"steps":'), 'its "config" is not JSON');
  says(
    changed((header) => {
      header.lost = header.loss;
      delete header.loss;
    }),
    'it has no tensor "loss"',
  );
  for (const from of ["final", "grad"]) {
    says(
      changed((header) => {
        header[`${from}er.head`] = header[`${from}.head`];
        delete header[`${from}.head`];
      }),
      `it has no tensor "${from}.head"`,
    );
  }
  says(
    changed((header) => Object.assign(header.loss, { dtype: "I64" })),
    'its tensor "loss" is I64, not Float64Array',
  );
});
