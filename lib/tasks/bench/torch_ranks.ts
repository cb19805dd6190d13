/** PyTorch's processes, a rank each, which do what they are told all together. @module */
import { SchemoeError } from "../../types.ts";

/** What a rank says: fields of JSON. */
export type Answer = Readonly<Record<string, unknown>>;

/** Characters of what a process wrote to its error output that an error repeats. */
const MOST_TEXT = 600;

/** Processes of `torch_ranks.py`. */
export class TorchRanks implements AsyncDisposable {
  readonly #children: readonly Child[];
  /** What each said of itself: versions, GPU, which products it has. */
  about: readonly Answer[] = [];

  private constructor(children: readonly Child[]) {
    this.#children = children;
  }

  /**
   * Starts the processes, which is over when all have found each other.
   * @param python interpreter that has PyTorch.
   * @param folder for the files that are exchanged.
   * @throws {SchemoeError} with what a process wrote, when one ends or none answers in `seconds`.
   */
  static async start(
    { python = "python3", folder, ranks, device, seconds }: {
      readonly python?: string;
      readonly folder: string;
      readonly ranks: number;
      readonly device: "cuda" | "cpu";
      readonly seconds: number;
    },
  ): Promise<TorchRanks> {
    await Deno.remove(`${folder}/rendezvous`).catch(() => {}); // of processes before
    const script = `${import.meta.dirname}/torch_ranks.py`;
    const started = new TorchRanks(
      Array.from(
        { length: ranks },
        (_, rank) => new Child(python, [script, folder, `${rank}`, `${ranks}`, device]),
      ),
    );
    started.about = await started.#answers(seconds);
    return started;
  }

  /**
   * The answers of all ranks to a command.
   * @throws {SchemoeError} when one fails or is late: all are ended then, since the others wait for it.
   */
  async ask(command: Answer, seconds: number): Promise<readonly Answer[]> {
    const line = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    await Promise.all(this.#children.map((child) => child.write(line)));
    return await this.#answers(seconds);
  }

  async #answers(seconds: number): Promise<readonly Answer[]> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new SchemoeError(`PyTorch gave no answer in ${Math.round(seconds)} s`);
      timer = setTimeout(() => reject(error), 1e3 * seconds);
    });
    try {
      const all = Promise.all(this.#children.map((child, rank) => child.answer(rank)));
      return await Promise.race([all, late]);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.end()));
  }
}

/** One process. */
class Child {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #errors: Promise<string>;
  #rest = "";

  constructor(python: string, args: readonly string[]) {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    try {
      this.#process = new Deno.Command(python, { args: [...args], ...pipes }).spawn();
    } catch (cause) {
      throw new SchemoeError(`Cannot run ${python}: ${(cause as Error).message}`, { cause });
    }
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#errors = new Response(this.#process.stderr).text();
  }

  async write(line: Uint8Array): Promise<void> {
    await this.#writer.write(line).catch(() => {}); // one that has ended is told of by its answer
  }

  async answer(rank: number): Promise<Answer> {
    const line = await this.#line(rank);
    const answer = JSON.parse(line) as Answer;
    if (answer.error === undefined) return answer;
    throw new SchemoeError(`PyTorch's rank ${rank} failed: ${answer.error}`);
  }

  /** The next line of JSON; libraries may print others. */
  async #line(rank: number): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        if (line.startsWith("{")) return line;
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) {
        const text = (await this.#errors).trim().slice(-MOST_TEXT);
        throw new SchemoeError(`PyTorch's rank ${rank} has ended: ${text}`);
      }
      this.#rest += value;
    }
  }

  async end(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#process.status;
    await this.#writer.abort().catch(() => {});
    await this.#reader.cancel().catch(() => {});
    await this.#errors;
  }
}
