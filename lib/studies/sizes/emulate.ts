/** All-to-alls of any size on emulated links of the CPU engine. @module */
import { openEngine } from "../../engines/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Link, Topology } from "../../types.ts";
import { evenProgram } from "./alone.ts";

/** Bytes that a rank really moves, at most. */
const MOST_BYTES = 1 << 20;
/** Seconds that an exchange is stretched to, if it is shorter: timers are exact to some 50 us. */
const LEAST_SECONDS = 0.05;
/** Runs of which the median counts, and one before them; fewer where each takes long. */
const RUNS = 5;
const LONG_RUNS = 3;
const LONG_SECONDS = 0.3;

/** One exchange, and what it takes by the model. */
interface Exchange {
  readonly algorithm: AllToAll;
  readonly bytes: number;
  readonly seconds: number;
}

/** Median seconds of an exchange, as if nothing were stretched and each byte stood for itself. */
export async function emulatedSeconds(
  topology: Topology,
  { algorithm, bytes, seconds }: Exchange,
): Promise<number> {
  const each = Math.max(1, Math.ceil(bytes / MOST_BYTES));
  const stretch = Math.max(1, LEAST_SECONDS / seconds);
  const slower = ({ alpha, beta }: Link): Link => ({
    alpha: alpha * stretch,
    beta: beta * each * stretch,
  });
  const { intra, inter, local } = topology.links;
  const { nic, ...world } = topology;
  const emulated: Topology = {
    ...world,
    ...(nic ? { nic: { ...nic, beta: nic.beta * each * stretch } } : {}),
    links: { intra: slower(intra), inter: slower(inter), local: slower(local) },
  };
  using engine = openEngine({ kind: "cpu", topology: emulated, links: "emulated" });
  const program = evenProgram(emulated, algorithm, bytes / each);
  const workspace = engine.workspace();
  try {
    workspace.ensure(program.graph.buffers);
    const times: number[] = [];
    const runs = seconds * stretch < LONG_SECONDS ? RUNS : LONG_RUNS;
    for (let i = 0; i <= runs; i++) {
      const { end } = await engine.run(program, workspace);
      if (i > 0) times.push(end.reduce((latest, time) => Math.max(latest, time), 0) * 1e-9);
    }
    return times.sort((a, b) => a - b)[runs >> 1] / stretch;
  } finally {
    workspace.free();
  }
}
