/** A way to process 0 on which bytes change. @module */

/** Changes, in place, what a worker (`up`) or process 0 (`down`) sent. */
export type Change = (bytes: Uint8Array, from: "up" | "down") => void;

/** Passes connections on to a port of this machine, and what they carry through a change. */
export class FaultProxy {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;

  constructor(to: number, change: Change) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve(to, change);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) quietly(connection);
    await this.#serving;
  }

  async #serve(to: number, change: Change): Promise<void> {
    const passing: Promise<void>[] = [];
    for (;;) {
      try {
        const worker = await this.#listener.accept();
        const driver = await Deno.connect({ hostname: "127.0.0.1", port: to });
        this.#connections.add(worker).add(driver);
        passing.push(pass(worker, driver, (bytes) => change(bytes, "up")));
        passing.push(pass(driver, worker, (bytes) => change(bytes, "down")));
      } catch {
        break; // closed, or nobody listens any more
      }
    }
    await Promise.all(passing);
  }
}

/** Passes on until one side ends, and ends the other then. */
async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  change: (bytes: Uint8Array) => void,
): Promise<void> {
  const buffer = new Uint8Array(1 << 20);
  try {
    for (let got; (got = await from.read(buffer)) !== null;) {
      const bytes = buffer.subarray(0, got);
      change(bytes);
      for (let at = 0; at < got;) at += await to.write(bytes.subarray(at));
    }
  } catch { /* one side is gone */ }
  quietly(to);
}

function quietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch { /* it is closed */ }
}
