/**
 * Runs code in a Jupyter kernel of this Deno without Jupyter: starts it, and speaks Jupyter's
 * messages with it (https://jupyter-client.readthedocs.io/en/stable/messaging.html).
 * @module
 */
import { createHmac, randomUUID } from "node:crypto";
import { SchemoeError } from "../../types.ts";
import { kernelSpec } from "./kernel.ts";
import { Connection, type Frames } from "./zmtp.ts";

/** Outputs of a cell, in the notebook format. */
export interface CellOutput {
  readonly output_type: "stream" | "display_data" | "execute_result" | "error";
  /** Text of a stream. */
  readonly text?: string;
  /** Of a display or a result, by media type. */
  readonly data?: Readonly<Record<string, string>>;
}

/** What became of a cell. */
export interface CellResult {
  readonly outputs: readonly CellOutput[];
  /** Name and text of the error that ended it. */
  readonly error?: string;
}

interface Message {
  readonly type: string;
  /** Id of the request that it answers. */
  readonly parent?: string;
  readonly content: {
    readonly status?: string;
    readonly execution_state?: string;
    readonly ename?: string;
    readonly evalue?: string;
    readonly data?: CellOutput["data"];
    readonly text?: string;
    readonly transient?: { readonly display_id?: string };
  };
}

const PORTS = ["shell", "iopub", "stdin", "control", "hb"] as const;
const DELIMITER = "<IDS|MSG>";
const SHOWN = ["stream", "display_data", "execute_result", "error"];
const START_SECONDS = 30;

/** A running kernel. Close it. */
export class KernelClient {
  readonly #process: Deno.ChildProcess;
  readonly #key: string;
  readonly #folder: string;
  readonly #shell: Connection;
  readonly #iopub: Connection;

  private constructor(
    started: { process: Deno.ChildProcess; key: string; folder: string },
    [shell, iopub]: readonly Connection[],
  ) {
    ({ process: this.#process, key: this.#key, folder: this.#folder } = started);
    [this.#shell, this.#iopub] = [shell, iopub];
  }

  /**
   * Starts a kernel that works in a folder.
   *
   * @param env variables besides those of this process.
   * @throws {SchemoeError} when it does not answer within 30 s.
   */
  static async start(cwd: string, env: Record<string, string> = {}): Promise<KernelClient> {
    const folder = await Deno.makeTempDir();
    const key = randomUUID();
    const ports = freePorts();
    const file = `${folder}/connection.json`;
    const named = PORTS.map((name, i) => [`${name}_port`, ports[i]]);
    const place = { ip: "127.0.0.1", transport: "tcp", signature_scheme: "hmac-sha256", key };
    await Deno.writeTextFile(file, JSON.stringify({ ...Object.fromEntries(named), ...place }));
    const argv = [...kernelSpec().argv as string[], "--quiet"]
      .map((argument) => argument.replace("{connection_file}", file));
    const process = new Deno.Command(argv[0], {
      args: argv.slice(1),
      cwd,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "null",
    }).spawn();
    try {
      const types = ["DEALER", "SUB"] as const;
      const connections: Connection[] = [];
      for (const [i, type] of types.entries()) {
        connections.push(await patiently(() => Connection.open(ports[i], type)));
      }
      const client = new KernelClient({ process, key, folder }, connections);
      await client.#listening();
      return client;
    } catch (cause) {
      await end(process, folder);
      throw new SchemoeError(`Cannot start a kernel: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * Runs a cell to its end.
   *
   * @throws {SchemoeError} when the kernel dies.
   */
  async execute(code: string): Promise<CellResult> {
    const content = { code, silent: false, store_history: true, stop_on_error: false };
    const id = await this.#request("execute_request", { ...content, allow_stdin: false });
    const outputs: Message[] = [];
    for (;;) {
      const message = await this.#next(this.#iopub);
      const { type, content } = message;
      if (type === "status" && content.execution_state === "idle" && message.parent === id) break;
      if (SHOWN.includes(type)) outputs.push(message);
      if (type !== "update_display_data") continue;
      const at = outputs.findIndex((shown) =>
        shown.content.transient?.display_id === content.transient?.display_id
      );
      if (at >= 0) outputs[at] = { ...message, type: outputs[at].type };
    }
    const { content: { status, ename, evalue } } = await this.#reply(id);
    return {
      outputs: outputs.map(({ type, content: { text, data } }) => ({
        output_type: type as CellOutput["output_type"],
        text,
        data,
      })),
      error: status === "ok" ? undefined : problemOf(ename, evalue),
    };
  }

  /** Ends the kernel. */
  async close(): Promise<void> {
    this.#shell.close();
    this.#iopub.close();
    await end(this.#process, this.#folder);
  }

  /** Resolves when outputs arrive: messages sent before the kernel knows of the listener are lost. */
  async #listening(): Promise<void> {
    const deadline = performance.now() + 1e3 * START_SECONDS;
    const heard = this.#next(this.#iopub);
    while (performance.now() < deadline) {
      await this.#reply(await this.#request("kernel_info_request", {}));
      const soon = new Promise<void>((resolve) => setTimeout(resolve, 100));
      if (await Promise.race([heard, soon])) return;
    }
    throw new SchemoeError(`no output came within ${START_SECONDS} s`);
  }

  async #request(type: string, content: object): Promise<string> {
    const id = randomUUID();
    const header = { msg_id: id, msg_type: type, session: this.#key, username: "", version: "5.3" };
    const date = new Date().toISOString();
    const parts = [{ ...header, date }, {}, {}, content].map((part) => JSON.stringify(part));
    const signature = createHmac("sha256", this.#key).update(parts.join("")).digest("hex");
    const encoder = new TextEncoder();
    const frames = [DELIMITER, signature, ...parts].map((part) => encoder.encode(part));
    await this.#shell.send(frames).catch((cause) => {
      throw new SchemoeError("the kernel died", { cause });
    });
    return id;
  }

  async #reply(id: string): Promise<Message> {
    for (;;) {
      const message = await this.#next(this.#shell);
      if (message.parent === id) return message;
    }
  }

  async #next(connection: Connection): Promise<Message> {
    const frames = await connection.receive();
    if (!frames) throw new SchemoeError("the kernel died");
    return parse(frames);
  }
}

/** Ends a kernel, if it has not ended by itself, and removes its connection file. */
async function end(process: Deno.ChildProcess, folder: string): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended
  }
  await process.status;
  await Deno.remove(folder, { recursive: true });
}

/** The error of a cell, as far as the kernel tells. */
function problemOf(name = "Error", text = ""): string {
  if (text !== "Execution failed") return `${name}: ${text}`;
  return `${text}: most often a syntax error, of which Deno's kernel says no more`;
}

function parse(frames: Frames): Message {
  const texts = frames.map((frame) => new TextDecoder().decode(frame));
  const [header, parent, , content] = texts.slice(texts.indexOf(DELIMITER) + 2)
    .map((text) => JSON.parse(text));
  return { type: header.msg_type, parent: parent.msg_id, content };
}

/** Ports that nothing uses: all are held until the last is known, so that they differ. */
function freePorts(): number[] {
  const listeners = PORTS.map(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Tries until the kernel listens. */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 1e3 * START_SECONDS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
