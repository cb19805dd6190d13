/** A worker joins process 0 and serves it until that ends. @module */
import { NativeError } from "../native/failure.ts";
import { SchemoeError } from "../types.ts";
import { type Frame, Frames, READING, STRANGER } from "./frames.ts";
import { introduce, Refusal } from "./greeting.ts";
import { PartHost } from "./host.ts";
import type { Launcher } from "./launcher.ts";
import { Prover } from "./proof.ts";
import { checkToken } from "./token.ts";
import { after } from "./wait.ts";

/** Milliseconds that an attempt may take; process 0 gives up sooner. */
const ATTEMPT_MS = 15_000;
/** Milliseconds between attempts to join, at first and at most. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1000;
const TIME_LIMIT = 60;

/**
 * Joins the process that listens at `host` and `port`, which may do so later, and runs what it asks
 * for; resolves when it closes the connection or ends.
 *
 * @param options.timeLimit seconds in which process 0 must let it in; default 60.
 * @throws {SchemoeError} when nobody listens there, or it is refused.
 */
export async function serveWorker(options: Launcher & { timeLimit?: number }): Promise<void> {
  const { frames, host } = await joinDriver(options);
  const prover = new Prover(checkToken(options.token));
  try {
    await serveParts(frames, new PartHost({ host, prover }));
  } catch (cause) {
    const reason = (cause as Error).message.replace(READING, "");
    throw new SchemoeError(
      `Cannot serve process 0 at ${options.host} port ${options.port} any longer: ${reason}`,
      { status: 10, cause },
    );
  }
}

/** Answers all messages until the connection ends. */
export async function serveParts(
  frames: Frames,
  parts: Pick<PartHost, "answer" | "close">,
): Promise<void> {
  try {
    for (let frame; (frame = await frames.receive());) {
      // Not awaited: a run takes long, and meanwhile it may be cancelled.
      void answer(frames, parts, frame);
    }
  } finally {
    parts.close();
    frames.close();
  }
}

async function answer(
  frames: Frames,
  parts: Pick<PartHost, "answer">,
  frame: Frame,
): Promise<void> {
  const { serial } = frame.fields;
  try {
    const { fields, body } = await parts.answer(frame);
    await frames.send({ kind: "done", serial, ...fields }, body);
  } catch (error) {
    const { status, rank } = error instanceof SchemoeError ? error : {} as SchemoeError;
    const message = error instanceof Error ? error.message : String(error);
    // Nobody to tell when the connection itself broke.
    const parts = error instanceof NativeError ? { parts: error.parts } : {};
    await frames.send({ kind: "failed", serial, status, rank, message, ...parts }).catch(() => {});
  }
}

/** The connection to process 0 once it let this one in, and the address of this end. */
export async function joinDriver(
  options: Launcher & { timeLimit?: number },
): Promise<{ frames: Frames; host: string }> {
  const { host, port, process, timeLimit = TIME_LIMIT } = options;
  const prover = new Prover(checkToken(options.token));
  const deadline = performance.now() + timeLimit * 1000;
  const introduction = {
    process,
    pid: Deno.pid,
    host: Deno.hostname(),
    cores: navigator.hardwareConcurrency,
  };
  for (let wait = FIRST_RETRY_MS;; wait = Math.min(LAST_RETRY_MS, 1.5 * wait)) {
    try {
      return await attempt(
        { hostname: host, port },
        deadline,
        (frames) => introduce(frames, prover, introduction),
      );
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cause;
      // Not all at once, should many have been turned away together.
      const pause = wait * (0.5 + Math.random());
      if (cause instanceof Refusal || performance.now() + pause > deadline) {
        const limit = cause instanceof Refusal ? "" : ` within ${timeLimit} s`;
        const reason = (cause as Error).message.replace(READING, "");
        throw new SchemoeError(
          `Cannot join process 0 at ${host} port ${port}${limit}: ${reason}`,
          { status: 10, cause },
        );
      }
      await after(pause).promise;
    }
  }
}

/** Connects and greets once; all of it ends at the deadline, or long before. */
async function attempt(
  to: { hostname: string; port: number },
  deadline: number,
  greet: (frames: Frames) => Promise<void>,
): Promise<{ frames: Frames; host: string }> {
  let late = false;
  let connection: Deno.TcpConn | undefined;
  const left = deadline - performance.now();
  const limit = after(Math.max(1, Math.min(ATTEMPT_MS, left)), () => {
    late = true;
    connection?.close();
  });
  const connecting = Deno.connect(to);
  // One that comes about too late is nobody's.
  connecting.then((one) => late && one.close(), () => {});
  const timeUp = limit.promise.then(() => {
    throw new SchemoeError("it does not answer");
  });
  timeUp.catch(() => {});
  try {
    connection = await Promise.race([connecting, timeUp]);
    const frames = new Frames(connection, STRANGER);
    await Promise.race([greet(frames), timeUp]);
    frames.trust();
    return { frames, host: connection.localAddr.hostname };
  } catch (error) {
    if (!late) connection?.close();
    throw error;
  } finally {
    limit.cancel();
  }
}
