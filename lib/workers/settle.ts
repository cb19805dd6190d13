/** Waits for a run in all processes, whatever becomes of them. @module */
import { isFinding, type Outcome } from "./blame.ts";
import type { Peers } from "./peers.ts";

/** Milliseconds between signs of life in a run, and for the others to say why theirs ended. */
const PING_MS = 500;
const GRACE_MS = 1000;
/** Seconds of silence that a busy machine may cause. */
const LEAST_PATIENCE = 2;
const CANCEL_EVERY_MS = 5;

/** A run that has begun in all processes, this one first. */
export interface RunEverywhere {
  readonly peers: Peers;
  readonly runs: readonly Promise<BigUint64Array<ArrayBuffer>>[];
  readonly outcomes: readonly Outcome[];
  /** Seconds after which a process that gives no sign of life is given up. */
  readonly patience: number;
  readonly timeLimit: number;
  /** Ends the run in this process, if it has begun, and in the others. */
  readonly cancelHere: () => void;
  readonly cancelOthers: () => void;
}

/** Fills in how the run ended in each process; a failure in one ends it in all. */
export async function settle(run: RunEverywhere): Promise<void> {
  const failed = Promise.withResolvers<void>();
  const settled = run.runs.map((one, i) =>
    one.then((events) => {
      run.outcomes[i].events = events;
    }, (error) => {
      run.outcomes[i].error = error;
      // that of a run that came to its end: the others do too, and say what they found
      if (!isFinding(error)) failed.resolve();
    })
  );
  const watching = watch(run, failed.resolve);
  await Promise.race([Promise.all(settled), failed.promise]);
  clearInterval(watching);
  if (run.outcomes.some(({ events, error }) => !events && !isFinding(error))) {
    await stop(run, settled);
  }
}

/** Looks for processes that have fallen silent. */
function watch({ peers, outcomes, ...run }: RunEverywhere, found: () => void) {
  // So that who is silent is found before the time limit, unless that is very short.
  const patience = Math.min(run.patience, Math.max(LEAST_PATIENCE, run.timeLimit / 2));
  let [since, tick] = [performance.now(), performance.now()];
  return setInterval(() => {
    const now = performance.now();
    // Where this process itself was held up, answers may lie unread.
    if (now - tick > 2 * PING_MS) since = now;
    tick = now;
    for (const [i, member] of peers.members.entries()) {
      const outcome = outcomes[i + 1];
      if (outcome.events || outcome.error) continue;
      const silence = (now - Math.max(since, member.heard)) / 1000;
      if (silence > patience) {
        outcome.silent = silence;
        found();
      } else peers.ask(member, { kind: "ping" }).catch(() => {});
    }
  }, PING_MS);
}

/** Ends what still runs, and gives the others a moment to say why theirs ended. */
async function stop(run: RunEverywhere, settled: readonly Promise<void>[]): Promise<void> {
  const asked = performance.now();
  run.peers.tell({ kind: "ping" });
  // The others first: what this process breaks off, they would report as its loss.
  const grace = Promise.withResolvers<void>();
  const timer = setTimeout(grace.resolve, GRACE_MS);
  run.cancelOthers();
  await Promise.race([Promise.all(settled.slice(1)), grace.promise]);
  clearTimeout(timer);
  // Again and again, since it may not have begun yet.
  const cancelling = setInterval(run.cancelHere, CANCEL_EVERY_MS);
  await settled[0];
  clearInterval(cancelling);
  for (const [i, member] of run.peers.members.entries()) {
    const outcome = run.outcomes[i + 1];
    if (member.gone !== undefined) outcome.gone = member.gone;
    else if (!outcome.events && !outcome.error && member.heard < asked) {
      outcome.silent ??= (performance.now() - member.heard) / 1000;
    }
  }
}
