/** Where passes take what is predicted. @module */
import type { Engine } from "../../engine.ts";
import { openSimulator } from "../../engines/mod.ts";
import { type MachineProfile, profileCosts, profiledTopology } from "../../profile/mod.ts";
import { checkOrigin } from "../../profile/origin.ts";

/**
 * A simulator of an engine's world, or of the one that a profile found.
 * @throws {SchemoeError} for a profile of another world, and where the engine runs, of another engine or machine.
 */
export function predictingEngine(engine: Engine, profile?: MachineProfile): Engine {
  const { topology } = engine;
  const representatives = engine.representatives !== undefined;
  if (profile) {
    const costs = profileCosts(profile, topology);
    checkOrigin(profile, engine);
    return openSimulator(profiledTopology(topology, profile), { representatives, costs });
  }
  const { costs } = engine;
  return openSimulator(topology, { representatives, ...(costs ? { costs } : {}) });
}
