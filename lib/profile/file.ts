/** Profiles as JSON files. @module */
import { SchemoeError } from "../types.ts";
import type { MachineProfile } from "./types.ts";
import { parseJson } from "../files/json.ts";

/** `format` of the JSON of a profile. */
export const PROFILE_FORMAT = "schemoe profile";
/** `version` of the JSON that is written, the only one that is read. */
export const PROFILE_VERSION = 3;

const FIELDS = ["machine", "versions", "date", "engine", "kinds", "links", "launch", "slowdown"];

/**
 * Checks what was read from JSON.
 * @throws {SchemoeError} naming a missing field, or a version that cannot be read.
 */
export function parseProfile(text: string, where = "the text"): MachineProfile {
  const fail: (problem: string, cause?: unknown) => never = (problem, cause) => {
    throw new SchemoeError(`Cannot read the profile: ${where} ${problem}`, { cause });
  };
  let value: Record<string, unknown>;
  try {
    value = parseJson(text);
  } catch (cause) {
    return fail("is no JSON", cause);
  }
  if (value?.format !== PROFILE_FORMAT) return fail(`has the format ${value?.format}`);
  if (value.version !== PROFILE_VERSION) {
    return fail(`has version ${value.version}, this one reads ${PROFILE_VERSION}`);
  }
  const missing = FIELDS.find((field) => value[field] === undefined);
  if (missing) fail(`lacks "${missing}"`);
  const { kinds } = value;
  if (!Array.isArray(kinds) || kinds.some((fit) => !isFit(fit))) {
    fail("has kinds whose alpha, perFlop and perByte are no numbers of at least 0");
  }
  return value as unknown as MachineProfile;
}

function isFit(fit: unknown): boolean {
  const { alpha, perFlop, perByte } = fit as Record<string, { value?: unknown } | undefined>;
  return [alpha, perFlop, perByte].every((one) =>
    typeof one?.value === "number" && one.value >= 0 && one.value < Infinity
  );
}

/**
 * Reads a profile from a JSON file.
 * @throws {SchemoeError} naming the file that cannot be read.
 */
export async function loadProfile(path: string | URL): Promise<MachineProfile> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new SchemoeError(`Cannot read the profile: ${(cause as Error).message}`, { cause });
  }
  return parseProfile(text, `${path}`);
}

/** Writes a profile as JSON. @throws {SchemoeError} naming the file that cannot be written. */
export async function saveProfile(profile: MachineProfile, path: string | URL): Promise<void> {
  try {
    await Deno.writeTextFile(path, `${JSON.stringify(profile, undefined, 1)}\n`);
  } catch (cause) {
    throw new SchemoeError(`Cannot write the profile: ${(cause as Error).message}`, { cause });
  }
}
