/** A worker joins process 0 and serves it until that ends. @module */
import { ABI_VERSION } from "../program/pack.ts";
import { SchemoeError } from "../types.ts";
import { type Frame, Frames, STRANGER } from "./frames.ts";
import { PartHost } from "./host.ts";
import type { Launcher } from "./launcher.ts";
import { PROTOCOL } from "./rendezvous.ts";
import { checkToken } from "./token.ts";

const RETRY_MS = 100;
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
  await serveParts(frames, new PartHost(host));
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
    await frames.send({ kind: "failed", serial, status, rank, message }).catch(() => {});
  }
}

/** The connection to process 0 once it let this one in, and the address of this end. */
export async function joinDriver(
  options: Launcher & { timeLimit?: number },
): Promise<{ frames: Frames; host: string }> {
  const token = checkToken(options.token);
  const { host, port, process, timeLimit = TIME_LIMIT } = options;
  const connection = await dial(host, port, performance.now() + timeLimit * 1000);
  const frames = new Frames(connection, STRANGER);
  const timer = setTimeout(() => frames.close(), timeLimit * 1000);
  const fail = (reason: unknown): never => {
    frames.close();
    throw new SchemoeError(`Cannot join process 0 at ${host} port ${port}: ${reason}`, {
      status: 10,
    });
  };
  try {
    await frames.send({
      ...{ kind: "join", token, protocol: PROTOCOL, abi: ABI_VERSION },
      ...{ process, pid: Deno.pid, host: Deno.hostname(), cores: navigator.hardwareConcurrency },
    });
    const frame = await frames.receive();
    if (frame?.fields.kind !== "welcome") throw frame?.fields.reason ?? "it closed the connection";
  } catch (reason) {
    fail(reason instanceof Error ? reason.message : reason);
  } finally {
    clearTimeout(timer);
  }
  frames.trust();
  return { frames, host: connection.localAddr.hostname };
}

async function dial(hostname: string, port: number, deadline: number): Promise<Deno.TcpConn> {
  for (;;) {
    try {
      return await Deno.connect({ hostname, port });
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cause;
      if (performance.now() > deadline) {
        throw new SchemoeError(
          `Cannot join process 0 at ${hostname} port ${port}: ${(cause as Error).message}`,
          { status: 10, cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
