import { resolve } from "node:path";
import { SchemoeError } from "../../types.ts";

/** Directory of the repository. */
export const root: string = resolve(import.meta.dirname!, "../../..");

/**
 * Arguments of a task, without the `--` that `deno task NAME -- ...` leaves in front.
 * @param usage printed instead where `--help` is asked for, and the process ends; without it, as given.
 */
export function taskArguments(usage?: string, args: readonly string[] = Deno.args): string[] {
  const given = args[0] === "--" ? args.slice(1) : [...args];
  if (!usage || (!given.includes("--help") && !given.includes("-h"))) return given;
  console.log(usage);
  Deno.exit(0);
}

/** What `parseArgs` says of an argument, without its advice on arguments that begin with `-`. */
export const argumentProblem = (error: unknown): string =>
  (error as Error).message.replace(/\. (To specify|This command).*/s, "");

/**
 * The number that `--name` was given as text.
 * @throws {SchemoeError} unless it is a positive integer.
 */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new SchemoeError(`--${name} must be a positive integer, got "${text}"`);
}

/** Runs a program in the repository, its output going where ours goes; gives its exit status. */
export async function run(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<number> {
  const command = new Deno.Command(argv[0], { args: argv.slice(1), cwd: root, ...options });
  return (await command.spawn().status).code;
}

/**
 * Runs a program in the repository and gives its standard output.
 * @throws {SchemoeError} with all it printed, when it fails or is not there
 */
export async function quiet(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const command = new Deno.Command(argv[0], {
    args: argv.slice(1),
    cwd: root,
    stdin: "null",
    ...options,
  });
  let result: Deno.CommandOutput;
  try {
    result = await command.output();
  } catch (cause) {
    throw new SchemoeError(`Cannot run ${argv[0]}: ${(cause as Error).message}`, { cause });
  }
  const [out, err] = [result.stdout, result.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (result.success) return out;
  throw new SchemoeError(`Cannot run "${argv.join(" ")}": status ${result.code}\n${out}${err}`);
}

/**
 * Runs a program in the repository and hands on each line of its standard output as it comes.
 * @throws {SchemoeError} with all it printed, when it fails or is not there
 */
export async function watched(
  argv: readonly string[],
  onLine: (line: string) => void,
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<void> {
  let child: Deno.ChildProcess;
  try {
    const given = { args: argv.slice(1), cwd: root, stdin: "null" as const, ...options };
    child = new Deno.Command(argv[0], { ...given, stdout: "piped", stderr: "piped" }).spawn();
  } catch (cause) {
    throw new SchemoeError(`Cannot run ${argv[0]}: ${(cause as Error).message}`, { cause });
  }
  let out = "", open = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      const lines = (open + text).split("\n");
      open = lines.pop()!;
      lines.forEach(onLine);
    }
  })();
  const [err, { success, code }] = await Promise.all([
    new Response(child.stderr).text(),
    child.status,
    reading,
  ]);
  if (success) return;
  throw new SchemoeError(`Cannot run "${argv.join(" ")}": status ${code}\n${out}${err}`);
}

/** Whether a program runs and succeeds; prints nothing. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    await quiet(argv);
    return true;
  } catch {
    return false;
  }
}

/** Runs the body of a task: an error becomes one message and exit status 1. */
export async function task(body: () => Promise<number | void>): Promise<never> {
  try {
    Deno.exit(await body() ?? 0);
  } catch (error) {
    if (!(error instanceof SchemoeError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
