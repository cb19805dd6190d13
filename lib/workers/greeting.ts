/**
 * How a worker and process 0 greet each other. Process 0 proves first that it knows the token, then the
 * worker does, together with what it says of itself; the verdict is proven too, so that nobody else can
 * turn a worker away for good.
 *
 * | from      | message                                  |
 * | --------- | ---------------------------------------- |
 * | worker    | `hello` with its versions and challenge  |
 * | process 0 | `challenge` with its own, and its proof  |
 * | worker    | `join` with its proof, or `mistrust`     |
 * | process 0 | `welcome` or `refused`, with a proof     |
 *
 * @module
 */
import { ABI_VERSION } from "../program/pack.ts";
import { SchemoeError } from "../types.ts";
import type { Fields, Frame, Frames } from "./frames.ts";
import type { Introduction } from "./member.ts";
import { isNonce, newNonce, type Prover } from "./proof.ts";

/** Version of the messages. */
const PROTOCOL = 2;

const NO_TOKEN = "its token is not the session's";
const SILENT = "it said nothing";

/** A refusal by process 0 itself, after which trying again is in vain. */
export class Refusal extends Error {}

/** How process 0 examines who comes. */
export interface Examination {
  readonly prover: Prover;
  readonly processes: number;
  /** Takes in a process that has proven itself and sends it the welcome, or says why not. */
  readonly admit: (introduction: Introduction, welcome: Fields) => string | undefined;
}

/** In process 0: resolves to why the other side was turned away; undefined once it was admitted. */
export async function examine(frames: Frames, at: Examination): Promise<string | undefined> {
  const { prover } = at;
  const hello = await frames.receive();
  if (!hello) return SILENT;
  const { kind, protocol, abi, nonce } = hello.fields;
  if (kind !== "hello" || !isNonce(nonce)) return "it did not greet";
  if (protocol !== PROTOCOL || abi !== ABI_VERSION) {
    const problem =
      `it has versions ${protocol} and ${abi}, this process has ${PROTOCOL} and ${ABI_VERSION}`;
    await frames.send({ kind: "refused", reason: problem });
    return problem;
  }
  const challenge = newNonce();
  const nonces = [nonce, challenge];
  const own = await prover.prove("process 0", nonces);
  await frames.send({ kind: "challenge", nonce: challenge, proof: own });
  const joined = await frames.receive();
  if (!joined) return SILENT;
  const introduction = introductionOf(joined);
  const { proof } = joined.fields;
  if (!introduction || !await prover.proves(proof, "worker", [...nonces, ...said(introduction)])) {
    return NO_TOKEN;
  }
  const verdict = async (kind: string, field: string, value: unknown) => ({
    kind,
    [field]: value,
    proof: await prover.prove(kind, [...nonces, value]),
  });
  const problem = at.admit(introduction, await verdict("welcome", "processes", at.processes));
  if (problem !== undefined) await frames.send(await verdict("refused", "reason", problem));
  return problem;
}

/**
 * In a worker: resolves once process 0 has let it in.
 *
 * @throws {Refusal} when process 0 refused it, and another error for what may go better the next time.
 */
export async function introduce(
  frames: Frames,
  prover: Prover,
  introduction: Introduction,
): Promise<void> {
  const nonce = newNonce();
  await frames.send({ kind: "hello", protocol: PROTOCOL, abi: ABI_VERSION, nonce });
  const challenge = await answered(frames, "challenge");
  const nonces = [nonce, challenge.fields.nonce];
  if (!isNonce(nonces[1]) || !await prover.proves(challenge.fields.proof, "process 0", nonces)) {
    // So that process 0 can say why nobody joins.
    await frames.send({ kind: "mistrust" });
    throw new SchemoeError("who listens there has not the same token");
  }
  const proof = await prover.prove("worker", [...nonces, ...said(introduction)]);
  await frames.send({ kind: "join", ...introduction, proof });
  const verdict = await answered(frames, "welcome", "refused");
  const { kind, processes, reason } = verdict.fields;
  const what = kind === "welcome" ? processes : reason;
  if (!await prover.proves(verdict.fields.proof, kind, [...nonces, what])) {
    throw new SchemoeError("its verdict has no proof");
  }
  if (kind === "refused") throw new Refusal(String(reason));
}

/** The next message, of one of these kinds. */
async function answered(frames: Frames, ...kinds: string[]): Promise<Frame> {
  const frame = await frames.receive();
  if (!frame) throw new SchemoeError("it closed the connection");
  if (kinds.includes(frame.fields.kind)) return frame;
  throw new SchemoeError(
    frame.fields.kind === "refused"
      ? String(frame.fields.reason)
      : `it sent a message of kind "${frame.fields.kind}"`,
  );
}

/** The message under the proof of a worker. */
function said({ process, pid, host, cores }: Introduction): unknown[] {
  return [process, pid, host, cores];
}

function introductionOf({ fields }: Frame): Introduction | undefined {
  const { kind, process, pid, host, cores } = fields;
  const whole = [process, pid, cores].every((value) => Number.isSafeInteger(value));
  if (kind !== "join" || !whole || typeof host !== "string") return undefined;
  return { process: process as number, pid: pid as number, host, cores: cores as number };
}
