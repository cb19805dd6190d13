/** Workers that are this process itself, and answer as a test wants. */
import type { Frame, Frames } from "../../lib/workers/frames.ts";
import { PartHost } from "../../lib/workers/host.ts";
import { joinDriver, serveParts } from "../../lib/workers/join.ts";
import type { Member } from "../../lib/workers/member.ts";
import { newToken, Workers } from "../../lib/workers/mod.ts";
import { Prover } from "../../lib/workers/proof.ts";
import { Rendezvous } from "../../lib/workers/rendezvous.ts";

/** Workers of one process, which is this one, and answers as told. */
export async function fakeWorkers(
  answer: (parts: PartHost, message: Frame, frames: Frames) => ReturnType<PartHost["answer"]>,
): Promise<{ workers: Workers; served: Promise<void>; members: Member[] }> {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  const joined = joinDriver({
    process: 1,
    processes: 2,
    host: rendezvous.host,
    port: rendezvous.port,
    token,
  });
  const members: Member[] = await rendezvous.gather(5);
  const { frames, host } = await joined;
  const parts = new PartHost({ host, prover: new Prover(token) });
  const served = serveParts(frames, {
    answer: (message) => answer(parts, message, frames),
    close: () => parts.close(),
  });
  return {
    workers: new Workers({ members, host: "127.0.0.1", token }),
    served: served.catch(() => {}),
    members,
  };
}
