/** Wrong questions to runs, worlds and stacks. */
import { compare, createStack, explain, predictedVsMeasured, topology, whatIf } from "../../mod.ts";
import { simulated } from "../../lib/layer/mod.ts";
import { theorem1Losses } from "../../lib/studies/mod.ts";
import { type BadInputs, withLayer, wrong } from "./bad_input.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });
const layer = { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2, routing: { capacityFactor: 2 } };
const ask = (options: unknown) => () => whatIf({ layer, topology: world }, wrong(options));
/** A question about a simulated run. */
const about = (call: (run: unknown) => unknown) => () =>
  withLayer({}, async (made) => await call(await made.forward()), "simulate");

export const questions: BadInputs = {
  "a what-if of nothing": {
    call: () => whatIf(wrong(undefined), { vary: "chunks", values: [1] }),
    says: "Cannot answer the what-if: give a run, or { layer, topology, choices }, first",
  },
  "a what-if without what varies": {
    call: ask(undefined),
    says: ["Cannot answer the what-if: give what varies and its values second, got undefined"],
  },
  "a what-if of an unknown change": {
    call: ask({ vary: "bandwidth", values: [1] }),
    says: ['Cannot vary "bandwidth": choose one of inter.alpha, ', "or give { name, apply }"],
  },
  "a what-if of a change that does nothing": {
    call: ask({ vary: { name: "mine" }, values: [1] }),
    says: "Cannot vary it: a change of your own is an object { name, apply }",
  },
  "a what-if without values": {
    call: ask({ vary: "chunks", values: [] }),
    says: ["values must be a list that is not empty"],
  },
  "an explanation of a number": {
    call: () => explain(wrong(5)),
    says: "Cannot explain: give a run or a timeline",
  },
  "a comparison with nothing": {
    call: about((run) => compare(wrong([run, null]))),
    says: "Cannot compare item 1: give a run or a timeline",
  },
  "a prediction of nothing": {
    call: about((run) => predictedVsMeasured(wrong(run), wrong(undefined))),
    says: ["Cannot compare with the simulation: the simulated one is no run"],
  },
  "a simulation of a timeline": {
    call: about((run) => simulated(wrong(wrong(run).timeline))),
    says: ["Cannot simulate the run: it is none of a layer or a stack"],
  },
  "losses of no chunks": {
    call: () => theorem1Losses(wrong({ count: 3 })),
    says: ["options.chunks must be a list of numbers of chunks"],
  },
  "losses with an unknown option": {
    call: () => theorem1Losses(wrong({ chunks: [2], counts: 3 })),
    says: ['"counts" is not an option (chunks, count'],
  },
  "a stack of nothing": {
    call: () => withLayer({}, (_, on) => createStack(on, wrong(undefined))),
    says: "Cannot make the stack: give an object with layer and layers, got undefined",
  },
  "a stack on no engine": {
    call: () => createStack(wrong(undefined), { layer, layers: 2 }),
    says: ["Cannot make the stack: give an engine first"],
  },
};
