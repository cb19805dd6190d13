/** The reference cases of `test/golden`. */
import { parseSafetensors } from "../../lib/files/safetensors.ts";
import { type GoldenCase, parseGolden } from "../../lib/studies/golden.ts";

const FOLDER = new URL("../golden/", import.meta.url);

export const goldenCases: readonly GoldenCase[] = [...Deno.readDirSync(FOLDER)]
  .filter(({ name }) => name.endsWith(".safetensors"))
  .toSorted((a, b) => a.name < b.name ? -1 : 1)
  .map(({ name }) => parseGolden(Deno.readFileSync(new URL(name, FOLDER)), name));

export const goldenCase = (name: string): GoldenCase =>
  goldenCases.find((golden) => golden.name === name)!;

/** The configuration of a case as its file has it. */
export function goldenFields(
  name: string,
): Record<"ranks" | "tokens" | "modelDim" | "hiddenDim" | "experts", number> {
  const file = `${name}.safetensors`;
  const { metadata } = parseSafetensors(Deno.readFileSync(new URL(file, FOLDER)), file);
  return JSON.parse(metadata.config);
}
