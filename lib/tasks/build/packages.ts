import { SchemoeError } from "../../types.ts";
import { quiet, succeeds } from "./command.ts";

/**
 * Sees to it that what `wanted` names is there: each Debian package with a command that succeeds
 * once it is. As root, missing packages are installed by apt.
 * @throws {SchemoeError} naming the command to run, when not root or without apt
 */
export async function ensurePackages(wanted: Record<string, readonly string[]>): Promise<void> {
  const missing = await lacking(wanted);
  if (missing.length === 0) return;
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...missing];
  const advice = `Missing on this machine: ${missing.join(", ")}; run: sudo ${install.join(" ")}`;
  if (Deno.uid() !== 0 || !await succeeds(["apt-get", "--version"])) throw new SchemoeError(advice);

  console.error(`Installing ${missing.join(", ")}`);
  const options = { env: { DEBIAN_FRONTEND: "noninteractive" } };
  await quiet(["apt-get", "update"], options);
  await quiet(install, options);
  const still = await lacking(wanted);
  if (still.length > 0) {
    throw new SchemoeError(`Cannot use ${still.join(", ")}: installed, and still not found`);
  }
}

async function lacking(wanted: Record<string, readonly string[]>): Promise<string[]> {
  const names = Object.keys(wanted);
  const found = await Promise.all(names.map((name) => succeeds(wanted[name])));
  return names.filter((_, i) => !found[i]);
}
