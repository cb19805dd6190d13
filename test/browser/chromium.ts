/**
 * A headless Chromium, driven by the DevTools protocol over a WebSocket.
 * @module
 */
import { chromium } from "../../lib/tasks/build/browser.ts";

const FLAGS =
  "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --remote-debugging-port=0 --hide-scrollbars " +
  // whatever a page asks of the network fails at once
  "--host-resolver-rules=MAP*~NOTFOUND";

type Reply = {
  id?: number;
  method?: string;
  result?: unknown;
  error?: { message: string };
  params?: unknown;
};

/** One page of a browser of its own. */
export class Page implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #loaded: (() => void)[] = [];
  /** Addresses that the page asked for. */
  readonly requests: string[] = [];
  /** What it wrote to its console as a warning or an error. */
  readonly complaints: string[] = [];
  #id = 0;
  #session?: string;

  private constructor(
    readonly process: Deno.ChildProcess,
    readonly directory: string,
    readonly socket: WebSocket,
  ) {
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  /** Starts a browser with one empty page of that size. */
  static async open(width = 1100, height = 900): Promise<Page> {
    const directory = await Deno.makeTempDir();
    const flags = FLAGS.replace("MAP*~", "MAP * ~").split(/ (?=--)/);
    const args = [
      ...flags,
      `--user-data-dir=${directory}`,
      `--window-size=${width},${height}`,
      "about:blank",
    ];
    const process = new Deno.Command(await chromium(), { args, stdout: "null", stderr: "null" })
      .spawn();
    try {
      const socket = new WebSocket(await endpoint(directory));
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      const page = new Page(process, directory, socket);
      const { targetId } = await page.send("Target.createTarget", { url: "about:blank" });
      const attached = await page.send("Target.attachToTarget", { targetId, flatten: true });
      page.#session = attached.sessionId as string;
      for (const domain of ["Page", "Runtime", "Network"]) await page.send(`${domain}.enable`);
      const size = { width, height, deviceScaleFactor: 1, mobile: false };
      await page.send("Emulation.setDeviceMetricsOverride", size);
      return page;
    } catch (error) {
      process.kill();
      throw error;
    }
  }

  /** Sends one command. @throws {Error} with the browser's words when it is refused. */
  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#id;
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return waiting.promise;
  }

  /** Opens a file and waits until it is there, for a page that is light or dark. */
  async show(url: string, scheme: "light" | "dark"): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
    const loaded = new Promise<void>((resolve) => this.#loaded.push(resolve));
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** Value of an expression in the page, awaited. @throws {Error} when it throws there. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options) as {
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? "it threw");
    return result.value;
  }

  /** One event of the mouse: `mouseMoved`, `mousePressed`, `mouseReleased`, `mouseWheel`. */
  async mouse(type: string, x: number, y: number, more: object = {}): Promise<void> {
    await this.send("Input.dispatchMouseEvent", { type, x, y, ...more });
  }

  /** Until the page has drawn what it was told. */
  async drawn(): Promise<void> {
    await this.evaluate(
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
  }

  /** The page as PNG, into a folder if one is named in SCHEMOE_SCREENSHOTS, to be looked at. */
  async screenshot(name: string): Promise<void> {
    const folder = Deno.env.get("SCHEMOE_SCREENSHOTS");
    if (!folder) return;
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    await Deno.writeFile(`${folder}/${name}.png`, Uint8Array.fromBase64(data as string));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close").catch(() => {});
    await this.process.status;
    if (this.socket.readyState !== WebSocket.CLOSED) {
      await new Promise((resolve) => {
        this.socket.onclose = resolve;
        this.socket.close();
      });
    }
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  #receive({ id, method, result, error, params }: Reply): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      if (error) waiting.reject(new Error(error.message));
      else waiting.resolve(result as Record<string, unknown>);
    } else if (method === "Page.loadEventFired") {
      for (const resolve of this.#loaded.splice(0)) resolve();
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push((params as { request: { url: string } }).request.url);
    } else if (method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled") {
      const { type = "error" } = params as { type?: string };
      if (["error", "warning"].includes(type)) this.complaints.push(JSON.stringify(params));
    }
  }
}

/** Where a browser that was just started listens; it writes that into its folder. */
async function endpoint(directory: string): Promise<string> {
  for (let i = 0; i < 300; i++) {
    const text = await Deno.readTextFile(`${directory}/DevToolsActivePort`).catch(() => "");
    const [port, path] = text.split("\n");
    if (path) return `ws://127.0.0.1:${port}${path}`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("Chromium did not start within 30 s");
}
