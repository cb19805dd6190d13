/** Choices, orders and tensors that a layer refuses. */
import { manual, type MoeLayer } from "../../mod.ts";
import { type BadInputs, forward, withLayer, wrong } from "./bad_input.ts";

const ORDER = ["gate", "dispatch", "A1[0]", "D1[0]", "E[0]", "C2[0]", "A2[0]", "combine"];
const chunking = (split: unknown) => forward({ chunks: { name: "mine", split } });

/** A call while a forward pass is in progress. */
const during = (call: (layer: MoeLayer) => unknown) => () =>
  withLayer({}, async (layer) => {
    const first = layer.forward({ bound: false });
    try {
      await call(layer);
    } finally {
      await first;
    }
  });

export const choices: BadInputs = {
  "an unknown scheduler": {
    call: forward({ scheduler: "optShe" }),
    says: ['Unknown scheduler "optShe": choose one of ', "optSche", "or give a value of your own"],
  },
  "a scheduler without order": {
    call: forward({ scheduler: {} }),
    says: ['Cannot use the scheduler: a value with a function "order" is needed'],
  },
  "a scheduler of null": {
    call: forward({ scheduler: null }),
    says: ['a value with a function "order" is needed, got null'],
  },
  "a scheduler that was not made": {
    call: forward({ scheduler: manual }),
    says: 'Cannot use the scheduler: a value with a function "order" is needed, got a function; ' +
      "call it, if it makes one",
  },
  "a scheduler without a name": {
    call: forward({ scheduler: { order: ({ tasks }: { tasks: unknown }) => tasks } }),
    says: ["Cannot use the scheduler: it must have a name", "got undefined"],
  },
  "an unknown all-to-all": {
    call: forward({ allToAll: "lineer" }),
    says: ['Unknown allToAll "lineer": choose one of ', "linear"],
  },
  "an unknown compressor": {
    call: forward({ compressor: "mp3" }),
    says: ['Unknown compressor "mp3": choose one of ', "fp16"],
  },
  "a compressor without wireBytes": {
    call: forward({ compressor: { name: "half", encode() {}, decode() {} } }),
    says: [
      'Cannot use the compressor: a value with a function "wireBytes" is needed, got {"name":"half"}',
    ],
  },
  "a compressor for an unknown exchange": {
    call: forward({ compressor: { dispatch: "fp16", cmbine: "none" } }),
    says: ['"cmbine" is not an exchange (dispatch, combine)'],
  },
  "an unknown option": {
    call: forward({ chunk: 2 }),
    says: ['Cannot run the pass: "chunk" is not an option (x, loads, routing, scheduler,'],
  },
  "a name instead of options": {
    call: () => withLayer({}, (layer) => layer.forward(wrong("optSche"))),
    says: ['give an object of options, got "optSche"'],
  },
  "no chunks": {
    call: forward({ chunks: 0 }),
    says: ["Cannot split the pass: chunks must be an integer from 1 to the capacity 8, got 0"],
  },
  "more chunks than places": {
    call: forward({ chunks: 1000 }),
    says: ["from 1 to the capacity 8, got 1000"],
  },
  "chunks of text": {
    call: forward({ chunks: "4" }),
    says: ['chunks must be an integer from 1 to the capacity 8, got "4"'],
  },
  "a chunking without split": {
    call: chunking(undefined),
    says: ['give a number of chunks, or a value with a function "split"'],
  },
  "chunks with a gap": {
    call: chunking(() => [{ begin: 0, end: 1 }, { begin: 2, end: 8 }]),
    says: ['by "mine": chunk 1 has rows 2 to 8', "begin at 1"],
  },
  "chunks beyond the capacity": {
    call: chunking(() => [{ begin: 0, end: 13 }]),
    says: ['by "mine": the chunks end at 13, the capacity is 8'],
  },
  "a time limit of nothing": {
    call: forward({ timeLimit: 0 }),
    says: ["the time limit 0 is not positive"],
  },
  "a signal that is none": {
    call: forward({ signal: 3 }),
    says: ["signal must be an AbortSignal, got 3"],
  },

  "an input of another shape": {
    call: forward({ x: new Float32Array(3) }),
    says: ['Cannot set "x": expected a Float32Array of shape [2, 8, 4] (64 values), got 3 values'],
  },
  "an input of doubles": {
    call: forward({ x: new Float64Array(64) }),
    says: ['Cannot set "x": expected a Float32Array', "Float64Array"],
  },
  "an input of an array": {
    call: forward({ x: [1, 2] }),
    says: ['Cannot set "x": expected a Float32Array of shape [2, 8, 4]'],
  },
  "a gradient of another shape": {
    call: () =>
      withLayer({}, async (layer) => {
        await layer.forward({ bound: false });
        await layer.backward({ dy: new Float32Array(1), bound: false });
      }),
    says: ['Cannot set "dy": expected a Float32Array of shape [2, 8, 4] (64 values), got 1'],
  },
  "backward before forward": {
    call: () => withLayer({}, (layer) => layer.backward()),
    says: ["Cannot run backward: run forward first"],
  },
  "two passes at once": {
    call: during((layer) => layer.forward()),
    says:
      "Cannot run the pass: another one of this layer is in progress, await it (await engine.idle() waits for whatever still runs)",
  },
  "tensors set during a pass": {
    call: during((layer) => layer.set({ x: new Float32Array(64) })),
    says:
      "Cannot set the tensors: a pass of this layer is in progress, await it (await engine.idle() waits for whatever still runs)",
  },
  "a layer closed during a pass": {
    call: during((layer) => layer.close()),
    says:
      "Cannot close the layer: a pass of it is in progress, await it (await engine.idle() waits for whatever still runs)",
  },
  "a parameter that the layer has not": {
    call: () => withLayer({}, (layer) => layer.set({ w: new Float32Array(1) })),
    says: ['Cannot set "w": the layer has x, dy, gate.weight, experts.w1'],
  },
  "a parameter of another shape": {
    call: () => withLayer({}, (layer) => layer.set({ "gate.weight": new Float32Array(1) })),
    says: ['Cannot set "gate.weight": expected', "[2, 4] (8 values), got 1"],
  },
  "no tensors": {
    call: () => withLayer({}, (layer) => layer.set(wrong(null))),
    says: ["Cannot set the tensors: give an object of names and values"],
  },
  "getting what is not there": {
    call: () => withLayer({}, (layer) => layer.get("w1")),
    says: ['Cannot get "w1": the parameters are gate.weight, experts.w1'],
  },
  "values of the simulator": {
    call: () => withLayer({}, (layer) => layer.get("gate.weight"), "simulate"),
    says: ['Cannot read "gate.weight": the simulator computes times, no values'],
  },
  "a layer that is closed": {
    call: () =>
      withLayer({}, (layer) => {
        layer.close();
        return layer.forward();
      }),
    says: "Cannot run the pass: the layer is closed",
  },

  "an order of text": {
    call: () => manual(wrong("gate")),
    says: ["Cannot make the manual order: give an array of names of tasks"],
  },
  "an order with an unknown task": {
    call: forward({ scheduler: manual(["gate", "nope"]) }),
    says: ['there is none called "nope" (there are gate, dispatch, A1[0]'],
  },
  "an order without a task": {
    call: forward({ scheduler: manual(ORDER.slice(0, 2)) }),
    says: ['the order of scheduler "manual": task A1[0] is missing'],
  },
  "an order with a task twice": {
    call: forward({ scheduler: manual(["gate", ...ORDER]) }),
    says: ["task gate is double, at positions 0 and 1"],
  },
  "an order against dependencies": {
    call: forward({ scheduler: manual(["dispatch", "gate", ...ORDER.slice(2)]) }),
    says: ["task dispatch at position 0 is too early, it depends on gate at position 1"],
  },
};
