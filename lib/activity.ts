/** Work in progress on an engine, also where nobody awaits it. @module */

const activities = new WeakMap<object, Set<Promise<unknown>>>();

/** The same promise, known to `idle` until it is settled. */
export function during<T>(engine: object, work: Promise<T>): Promise<T> {
  const open = activities.get(engine) ?? new Set();
  activities.set(engine, open);
  const remove = () => void open.delete(ended);
  const ended = work.then(remove, remove);
  open.add(ended);
  return work;
}

/** Resolves once the engine is idle; failures of its work are not reported here. */
export async function idle(engine: object): Promise<void> {
  for (let open; (open = activities.get(engine)) && open.size > 0;) await Promise.all(open);
}

/** Advice on work in progress, for the end of a message. */
export const AWAIT = "await it (await engine.idle() waits for whatever still runs)";
