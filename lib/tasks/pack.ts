/**
 * Packs what `verify` and `bench` need on a GPU machine without a network, besides Deno, Python with
 * PyTorch, and CUDA: sources, the built library with the shared libraries it needs, and npm packages.
 *
 * usage: deno task pack [ARCHIVE]   (default out/schemoe-lab.tar.xz)
 *
 * There: unpack it, and set LD_LIBRARY_PATH to its `libraries` and DENO_DIR to its `packages`.
 * @module
 */
import { buildCuda } from "./build/build_native.ts";
import { quiet, root, task, taskArguments } from "./build/command.ts";
import { SchemoeError } from "../types.ts";

const DEFAULT = `${root}/out/schemoe-lab.tar.xz`;
/** What neither task reads. */
const LEFT_OUT = /^(notebooks|test\/(timeline|notebooks|golden\/onnx)|\.ci)\//;
/** The library, and what `bench` measures it beside. */
const BUILT = ["libschemoe.so", "test/cuda/nccl_plain", "test/cuda/copy_orders"];
const ENTRIES = ["lib/tasks/verify.ts", "lib/tasks/bench.ts"];
/** Packages that only pictures need, as patterns of names. */
const PICTURES = [
  "linkedom",
  "cssom*",
  "css-*",
  "dom*",
  "entities",
  "html*",
  "uhyphen",
  "boolbase",
  "nth-check",
  "@resvg/*",
  "@observablehq/*",
  "@expo-google-fonts/*",
  "d3",
  "d3-*",
];
/** Libraries that every Linux has. */
const SYSTEM = /\/(ld-linux|libc\.|libm\.|libdl\.|libpthread\.|librt\.|libstdc\+\+|libgcc_s)/;

await task(async () => {
  const usage = "usage: deno task pack [ARCHIVE]";
  const args = taskArguments(usage);
  const foreign = args.find((arg, i) => i > 0 || arg.startsWith("-"));
  if (foreign) throw new SchemoeError(`Unknown argument "${foreign}"; ${usage}`);
  await buildCuda();
  const folder = await Deno.makeTempDir();
  try {
    await stage(folder);
    const archive = args[0] ?? DEFAULT;
    await Deno.mkdir(`${root}/out`, { recursive: true });
    await quiet([
      "tar",
      "--sort=name",
      "--owner=0",
      "--group=0",
      "-C",
      folder,
      "-cJf",
      archive,
      ".",
    ], {
      env: { XZ_OPT: "-9e" },
    });
    const { size } = await Deno.stat(archive);
    console.log(`wrote ${archive}, ${(size / 1e6).toFixed(1)} MB`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function stage(folder: string): Promise<void> {
  const files = (await quiet(["git", "ls-files", "--cached", "--others", "--exclude-standard"]))
    .trim().split("\n");
  const library = `native/build/cuda/${BUILT[0]}`;
  const built = BUILT.map((file) => `native/build/cuda/${file}`);
  for (const file of [...files.filter((name) => !LEFT_OUT.test(name)), ...built]) {
    const to = `${folder}/${file}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(`${root}/${file}`, to);
  }
  await quiet(["strip", ...built], { cwd: folder });
  await Deno.mkdir(`${folder}/libraries`);
  for (const line of (await quiet(["ldd", library])).split("\n")) {
    const [, name, path] = /^\s*(\S+) => (\S+)/.exec(line) ?? [];
    if (path && !SYSTEM.test(path)) await Deno.copyFile(path, `${folder}/libraries/${name}`);
  }
  // A cache of its own, so that only what the two tasks load is in it, in the versions of the lock file.
  await quiet([Deno.execPath(), "cache", "--frozen", ...ENTRIES], {
    env: { DENO_DIR: `${folder}/packages` },
  });
  for (const name of ["gen", "node_analysis_cache_v2", "check_cache_v2"]) {
    await Deno.remove(`${folder}/packages/${name}`, { recursive: true }).catch(() => {});
  }
  await trim(`${folder}/packages`);
}

/** Empties packages that neither task loads, and takes what is large and never loaded out of the others. */
async function trim(packages: string): Promise<void> {
  const named = (
    option: string,
    values: readonly string[],
  ) => ["(", ...values.flatMap((value) => ["-o", option, value]).slice(1), ")"];
  const unloaded = PICTURES.map((name) => `*/registry.npmjs.org/${name}/*`);
  const files = ["find", packages, "-type", "f"];
  // Deno looks for the folders of all packages, and for their descriptions.
  const kept = ["!", "-name", "package.json", "!", "-name", "registry.json"];
  await quiet([...files, ...named("-path", unloaded), ...kept, "-delete"]);
  const heavy = ["*.node", "*.map", "*.wasm", "*.min.js", "*.umd.js", "*.d.ts", "*-wal"];
  await quiet([...files, ...named("-name", heavy), "-delete"]);
}
