/**
 * Writes a text to train on, `out/austen.txt`: six novels by Jane Austen (public domain, 4 MB, 81 different
 * characters) from Debian's package r-cran-janeaustenr, which is unpacked and not installed.
 *
 * usage: deno task text
 * @module
 */
import { SchemoeError } from "../types.ts";
import { quiet, taskArguments } from "./build/command.ts";
import { textVectors } from "./text/rdata.ts";

const PACKAGE = "r-cran-janeaustenr";
const DATA = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb";
/** Of the text of version 1.0.0-1. */
const SHA256 = "1f48a6d7751aa60776b8aacf34d3b6898c46f4ee0fd103d733dd04f45e761841";
const OUTPUT = new URL("../../out/austen.txt", import.meta.url);
const USAGE = "usage: deno task text";

async function main(args: readonly string[]): Promise<void> {
  if (args.length > 0) throw new SchemoeError(`There are no arguments; ${USAGE}`);
  const known = await Deno.readFile(OUTPUT).catch(() => undefined);
  if (known && await sha256(known) === SHA256) return console.log(`${OUTPUT.pathname} is there`);
  const folder = await Deno.makeTempDir();
  try {
    const bytes = new TextEncoder().encode(await novels(folder));
    const sum = await sha256(bytes);
    if (sum !== SHA256) {
      throw new SchemoeError(
        `The text of ${PACKAGE} has the SHA-256 ${sum}, not ${SHA256}: another version of the package?`,
      );
    }
    await Deno.mkdir(new URL(".", OUTPUT), { recursive: true });
    await Deno.writeFile(OUTPUT, bytes);
    console.log(`${OUTPUT.pathname}: ${bytes.length} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function novels(folder: string): Promise<string> {
  const download = ["apt-get", "download", PACKAGE];
  try {
    await quiet(download, { cwd: folder });
  } catch {
    // a fresh machine has no lists of packages
    await quiet(["apt-get", "update"]);
    await quiet(download, { cwd: folder });
  }
  const [file] = [...Deno.readDirSync(folder)].map(({ name }) => name);
  await quiet(["dpkg-deb", "-x", `${folder}/${file}`, `${folder}/unpacked`]);
  const vectors = textVectors(await Deno.readFile(`${folder}/unpacked/${DATA}`));
  return vectors.map((lines) => lines.join("\n")).join("\n");
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return sum.toHex();
}

if (import.meta.main) {
  try {
    await main(taskArguments(USAGE));
  } catch (error) {
    if (!(error instanceof SchemoeError)) throw error;
    console.error(`text: ${error.message}`);
    Deno.exitCode = 1;
  }
}
