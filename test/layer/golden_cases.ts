/** The reference cases of `test/golden`. */
import { type GoldenCase, parseGolden } from "../../lib/studies/golden.ts";

const FOLDER = new URL("../golden/", import.meta.url);

export const goldenCases: readonly GoldenCase[] = [...Deno.readDirSync(FOLDER)]
  .filter(({ name }) => name.endsWith(".safetensors"))
  .toSorted((a, b) => a.name < b.name ? -1 : 1)
  .map(({ name }) => parseGolden(Deno.readFileSync(new URL(name, FOLDER)), name));

export const goldenCase = (name: string): GoldenCase =>
  goldenCases.find((golden) => golden.name === name)!;
