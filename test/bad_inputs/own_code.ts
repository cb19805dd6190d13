/** Schedulers, all-to-alls, compressors and experts of a user's own that misbehave. */
import {
  type AllToAll,
  type Compressor,
  type Expert,
  ffn,
  type HostContext,
  type Scheduler,
  topK,
} from "../../mod.ts";
import { type ExpertContext, gshard } from "../../lib/blocks/mod.ts";
import { type BadInputs, forward, withLayer, wrong } from "./bad_input.ts";

const bug = () => {
  throw new Error("my bug");
};
const order = (run: unknown) => forward({ scheduler: { name: "mine", order: run } as Scheduler });
const plan = (run: unknown) => forward({ allToAll: { name: "mine", plan: run } as AllToAll });
const steps = (...list: unknown[]) => plan(() => [{ lane: "intra", steps: list }]);
const input = (index: number) => ({ buffer: "input", index });
const output = (index: number) => ({ buffer: "output", index });
const codec = (changes: object) =>
  forward({
    compressor: {
      name: "mine",
      wireBytes: ({ rows, columns }) => 4 * rows * columns,
      encode: (values) => new Uint8Array(values.buffer),
      decode: (bytes) => new Float32Array(bytes.slice().buffer),
      ...changes,
    } as Compressor,
  });
const expert = (changes: object) =>
  forward({}, { expert: { ...ffn(), name: "mine", ...changes } as Expert });
const gate = (changes: object) =>
  forward({}, { gate: { ...topK({ k: 2 }), name: "mine", ...changes } });
const host = (run: (at: HostContext) => unknown) =>
  expert({ forward: (c: ExpertContext) => [c.host(wrong(run))] });

export const ownCode: BadInputs = {
  "order() that throws": {
    call: order(bug),
    says: 'Cannot use the scheduler "mine": its order failed: my bug',
  },
  "order() that returns nothing": {
    call: order(() => undefined),
    says: ['the order of scheduler "mine": it is undefined, not an array of tasks'],
  },
  "order() that is asynchronous": {
    call: order((g: { tasks: unknown }) => Promise.resolve(g.tasks)),
    says: ['scheduler "mine": it is a Promise, not an array of tasks; order is a plain function'],
  },
  "order() with a foreign task": {
    call: order(() => [{ id: 0, name: "x" }]),
    says: ["position 0 holds x, which is not a task of the graph"],
  },
  "order() with an edge backwards": {
    call: order(({ tasks }: { tasks: unknown[] }) => ({
      order: tasks,
      after: [[tasks[3], tasks[1]]],
    })),
    says: ["its edge D1[0] -> dispatch points backwards"],
  },
  "order() with edges that are none": {
    call: order(({ tasks }: { tasks: unknown[] }) => ({ order: tasks, after: 3 })),
    says: ["its edges are not an array of pairs of tasks"],
  },
  "order() with edges that are no pairs": {
    call: order(({ tasks }: { tasks: unknown[] }) => ({ order: tasks, after: [undefined] })),
    says: ["its edges are not an array of pairs of tasks"],
  },
  "order() that sorts the graph itself": {
    call: order(({ tasks }: { tasks: { id: number }[] }) => tasks.sort((a, b) => b.id - a.id)),
    says:
      'Cannot use the scheduler "mine": its order changes the graph, which others share; sort a ' +
      "copy, as graph.tasks.toSorted() makes one",
  },
  "order() that drops a dependency": {
    call: order(({ tasks }: { tasks: { after: number[] }[] }) => {
      tasks[1].after.pop();
      return tasks;
    }),
    says: ['Cannot use the scheduler "mine": its order changes the graph'],
  },
  "chunking() that throws": {
    call: forward({
      scheduler: wrong({ name: "mine", order: () => [], chunking: bug }),
      chunks: 2,
    }),
    says: 'Cannot use the scheduler "mine": its chunking failed: my bug',
  },
  "chunking() that gives a number": {
    call: forward({
      scheduler: wrong({ name: "mine", order: () => [], chunking: () => 3 }),
      chunks: 2,
    }),
    says: 'Cannot split the pass: the chunking of the scheduler "mine" must give a value with a ' +
      'function "split"',
  },

  "plan() that throws": {
    call: plan(bug),
    says: 'Cannot use the all-to-all "mine": its plan of rank 0 failed: my bug',
  },
  "plan() that returns nothing": {
    call: plan(() => undefined),
    says: ['all-to-all "mine": rank 0 has no phases; a plan is an array of at least one'],
  },
  "a phase on an unknown lane": {
    call: plan(() => [{ lane: "wifi", steps: [] }]),
    says: ['rank 0 puts phase 0 on the lane "wifi"; there are intra and inter'],
  },
  "a phase without steps": {
    call: plan(() => [{ lane: "intra" }]),
    says: ['rank 0 has no array "steps" in phase "intra"'],
  },
  "a rank with a phase of nothing": {
    call: plan(({ rank }: { rank: number }) => [rank ? undefined : { lane: "intra", steps: [] }]),
    says: ['Cannot use the all-to-all "mine": rank 1 has other phases than rank 0'],
  },
  "a phase after a later one": {
    call: plan(() => [{ lane: "intra", after: [3], steps: [] }]),
    says: ["lets phase 0 come after 3, which is not an earlier one"],
  },
  "a phase after a number": {
    call: plan(() => [{ lane: "intra", after: 0, steps: [] }]),
    says: ['rank 0 lets phase 0 come after "0", an array of earlier phases is needed'],
  },
  "a phase after a number, not on rank 0": {
    call: plan(({ rank }: { rank: number }) => [
      { lane: "intra", after: rank ? 0 : [], steps: [] },
    ]),
    says: ['Cannot use the all-to-all "mine": rank 1 has other phases than rank 0'],
  },
  "a phase with an object for its name": {
    call: plan(() => [{ lane: "intra", name: {}, steps: [] }]),
    says: ['rank 0 calls phase 0 "[object Object]", a name must be text'],
  },
  "a step of an unknown kind": {
    call: steps({ kind: "teleport" }),
    says: ['a step of kind "teleport" (copy, send and receive are known)'],
  },
  "a step without its slice": {
    call: steps({ kind: "copy", from: input(0) }),
    says: ['rank 0 has a step without its slice in phase "intra"'],
  },
  "a slice that is not there": {
    call: steps({ kind: "copy", from: input(7), to: output(0) }),
    says: ['rank 0 names input slice 7 of 2 in phase "intra"'],
  },
  "a peer that is not there": {
    call: steps({ kind: "send", peer: 9, from: input(0) }),
    says: ['rank 0 has no peer 9 of 2 ranks in phase "intra"'],
  },
  "a send that nobody receives": {
    call: plan(({ rank }: { rank: number }) => [
      { lane: "intra", steps: rank ? [] : [{ kind: "send", peer: 1, from: input(1) }] },
    ]),
    says: [
      'rank 0 sends 1 time to rank 1 in phase "intra"',
      "each send needs a receive in the same phase",
    ],
  },
  "slices in the wrong place": {
    call: steps(...[0, 1].map((i) => ({ kind: "copy", from: input(i), to: output(i) }))),
    says: [
      "rank 0 ends with slice 1 of rank 0's input in slice 1 of its output",
      "not with slice 0 of rank 1's",
    ],
  },

  "wireBytes() of 0": {
    call: codec({ wireBytes: () => 0 }),
    says: ['Cannot use the compressor "mine": wireBytes of 8 x 4 is 0, not a positive integer'],
  },
  "wireBytes() that throws": {
    call: codec({ wireBytes: bug }),
    says: 'Cannot use the compressor "mine": its wireBytes failed: my bug',
  },
  "a compressor without encode()": {
    call: codec({ encode: undefined }),
    says: ['Cannot use the compressor "mine": it has no functions encode and decode'],
  },
  "a native codec that is not there": {
    call: codec({ native: { codec: "mp3" } }),
    says: ['Unknown native codec "mp3": choose one of none, fp16'],
  },
  "encode() that throws": {
    call: codec({ encode: bug }),
    says: [
      "Cannot run task C1[0] on rank ",
      'its host function failed: Cannot use the compressor "mine": its encode failed: my bug',
    ],
  },
  "encode() with too few bytes": {
    call: codec({ encode: () => new Uint8Array(3) }),
    says: [
      "task C1[0]",
      'compressor "mine": encode must return a Uint8Array of 128, got Uint8Array of 3',
    ],
  },
  "encode() that returns nothing": {
    call: codec({ encode: () => undefined }),
    says: ["task C1[0]", "encode must return a Uint8Array of 128, got undefined"],
  },
  "decode() with an array": {
    call: codec({ decode: () => new Array(32).fill(0) }),
    says: ["task D1[0]", "decode must return a Float32Array of 32, got Array of 32"],
  },
  "decode() with doubles": {
    call: codec({ decode: () => new Float64Array(32) }),
    says: ["task D1[0]", "decode must return a Float32Array of 32, got Float64Array of 32"],
  },

  "forward() that throws": {
    call: expert({ forward: bug }),
    says: 'Cannot use the expert "mine": its forward pass failed: my bug, in task E[0] on rank 0',
  },
  "forward() that returns nothing": {
    call: expert({ forward: () => undefined }),
    says: ['the expert "mine": its forward pass gives undefined, not an array of kernels'],
  },
  "forward() that returns a list of something else": {
    call: expert({ forward: () => [undefined] }),
    says: [
      'the expert "mine": its forward pass gives undefined as kernel 0, not an object { name, args }',
      "task E[0] on rank 0",
    ],
  },
  "forward() of a gate that returns nothing": {
    call: gate({ forward: () => undefined }),
    says: ['the gate "mine": its forward pass gives undefined, not an array of kernels'],
  },
  "forward() of a gate that returns text": {
    call: gate({ forward: () => "softmax" }),
    says: ['the gate "mine": its forward pass gives "softmax", not an array of kernels'],
  },
  "a loss that returns nothing": {
    call: forward({}, {
      losses: [{ ...gshard({ weight: 1 }), name: "mine", forward: wrong(() => 5) }],
    }),
    says: ['the loss "mine": its forward pass gives 5, not an array of kernels'],
  },
  "a kernel that is not there": {
    call: expert({ forward: () => [{ name: "conv", args: [] }] }),
    says: ['Cannot pack the kernel "conv": unknown name, there are gemm', "task E[0] on rank 0"],
  },
  "a kernel without its arguments": {
    call: expert({ forward: () => [{ name: "gemm", args: [1] }] }),
    says: ['the kernel "gemm": it takes 22 arguments, got 1, in task E[0] on rank 0'],
  },
  "a kernel on an unknown buffer": {
    call: expert({
      forward: () => [{ name: "fill", args: [4, { buffer: "nope", offset: 0 }, 1] }],
    }),
    says: ['Cannot use the buffer "nope"', "in task E[0] on rank 0"],
  },
  "a kernel before its buffer": {
    call: expert({
      forward: (c: ExpertContext) => [{
        name: "fill",
        args: [4, { buffer: c.y.buffer, offset: -64 }, 1],
      }],
    }),
    says: ['the kernel "fill": offset -64 of the buffer "expert.y" is negative, in task E[0]'],
  },
  "a kernel beyond its buffer": {
    call: expert({ forward: (c: ExpertContext) => [{ name: "fill", args: [1e6, c.y, 1] }] }),
    says: ["kernel fill: ", " bytes are needed, the buffer has ", "task E[0] on rank ", "buffer"],
  },
  "a host function that was not registered": {
    call: expert({ forward: () => [{ name: "host", args: [7] }] }),
    says: ['the kernel "host": it has no function "run"', "in task E[0] on rank 0"],
  },
  "a parameter that the expert has not": {
    call: expert({ forward: (c: ExpertContext) => [c.parameter("w9")] }),
    says: ['the expert "mine": its forward pass failed', 'no parameter "w9"'],
  },
  "parameters() that returns nothing": {
    call: expert({ parameters: () => undefined }),
    says: ['the expert "mine": "parameters" must return an array of names and shapes'],
  },
  "a parameter of no size": {
    call: expert({ parameters: () => [{ name: "w", shape: [0] }] }),
    says: ['its parameter "w" has the shape [0], an array of positive integers is needed'],
  },
  "two parameters of one name": {
    call: expert({
      parameters: () => [{ name: "w", shape: [2] }, { name: "w", shape: [3] }],
    }),
    says: 'Cannot use the expert "mine": "parameters" has two entries called "w"',
  },
  "an activation without a name": {
    call: expert({ saved: () => [{ name: "", columns: 3 }] }),
    says: 'Cannot use the expert "mine": "saved" has an entry without a name',
  },
  "flops() that are no number": {
    call: expert({ flops: () => ({ forward: NaN }) }),
    says: ['"flops" gives NaN for forward, a number of at least 0 is needed'],
  },
  "a host function that throws": {
    call: host(bug),
    says: ["Cannot run task E[0] on rank ", "its host function failed: my bug"],
  },
  "a host function that reads too far": {
    call: host((at) => at.read({ buffer: "x", offset: 0 }, 1e9)),
    says: [
      "task E[0] on rank ",
      "Cannot read bytes 0 + 1000000000 of 128, on rank ",
      'buffer "x"',
    ],
  },
  "a host function that reads elsewhere": {
    call: host((at) => at.read({ buffer: "nope", offset: 0 }, 1)),
    says: ["task E[0] on rank ", 'Cannot use the buffer "nope"'],
  },
  "backward of a forward-only expert": {
    call: () =>
      withLayer({ expert: { ...ffn(), name: "mine", inputGrad: undefined } }, async (layer) => {
        await layer.forward({ bound: false });
        await layer.backward({ bound: false });
      }),
    says: ['Cannot run backward: the expert "mine" is forward only'],
  },
};
