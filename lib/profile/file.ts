/** Profiles as JSON files. @module */
import { aPath, aText, expect } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import type { MachineProfile } from "./types.ts";
import { parseJson } from "../files/json.ts";
import { replaceFile, writeAll } from "../files/replace_file.ts";
import { quoted } from "../words.ts";
import { profileProblem } from "./check.ts";
import { shownProfile } from "./shown.ts";

/** `format` of the JSON of a profile. */
export const PROFILE_FORMAT = "schemoe profile";
/** `version` of the JSON that is written, the only one that is read. */
export const PROFILE_VERSION = 4;

const FIELDS = ["machine", "versions", "date", "engine", "kinds", "links", "launch", "slowdown"];

/**
 * Checks what was read from JSON.
 * @throws {SchemoeError} naming a field that is missing or wrong, or a version that cannot be read.
 */
export function parseProfile(text: string, where = "the text"): MachineProfile {
  expect("parseProfile", "text", text, aText);
  expect("parseProfile", "where", where, aText);
  const fail: (problem: string, cause?: unknown) => never = (problem, cause) => {
    throw new SchemoeError(`Cannot read the profile: ${where} ${problem}`, { cause });
  };
  let value: Record<string, unknown>;
  try {
    value = parseJson(text);
  } catch (cause) {
    return fail("is no JSON", cause);
  }
  if (value?.format !== PROFILE_FORMAT) {
    return fail(`is no profile: its format is ${quoted(value?.format)}`);
  }
  if (value.version !== PROFILE_VERSION) {
    return fail(`has version ${value.version}, this one reads ${PROFILE_VERSION}`);
  }
  const missing = FIELDS.find((field) => value[field] === undefined);
  if (missing) fail(`lacks "${missing}"`);
  const problem = profileProblem(value);
  if (problem !== undefined) fail(problem);
  return shownProfile(value as unknown as MachineProfile);
}

/**
 * Reads a profile from a JSON file.
 * @throws {SchemoeError} naming the file that cannot be read.
 */
export async function loadProfile(path: string | URL): Promise<MachineProfile> {
  expect("loadProfile", "path", path, aPath);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new SchemoeError(`Cannot read the profile: ${(cause as Error).message}`, { cause });
  }
  return parseProfile(text, `${path}`);
}

/** Writes a profile as JSON, as a whole. @throws {SchemoeError} naming the file that cannot be written. */
export async function saveProfile(profile: MachineProfile, path: string | URL): Promise<void> {
  expect("saveProfile", "path", path, aPath);
  try {
    const bytes = new TextEncoder().encode(`${JSON.stringify(profile, undefined, 1)}\n`);
    await replaceFile(path, (file) => writeAll(file, bytes));
  } catch (cause) {
    throw new SchemoeError(`Cannot write the profile: ${(cause as Error).message}`, { cause });
  }
}
