/** Worlds, layers and engines that cannot be. */
import {
  createLayer,
  ffn,
  gatherWorkers,
  openEngine,
  sharedProcessor,
  spawnWorkers,
  topK,
  topology,
} from "../../mod.ts";
import { gshard, quantileUpdate, signUpdate } from "../../lib/blocks/mod.ts";
import { type BadInputs, forward, withLayer, wrong } from "./bad_input.ts";

const pair = { nodes: 1, ranksPerNode: 2 };
const world = (options: unknown) => () => topology(wrong(options));
const layer = (config: object) => () => withLayer(config, () => {});
const engine = (options: unknown) => () => openEngine(wrong(options));
const expert = ffn();

export const setup: BadInputs = {
  "a topology of nothing": {
    call: world(undefined),
    says: ["topology: options must be an object", "got undefined"],
  },
  "no nodes": {
    call: world({ nodes: 0, ranksPerNode: 1 }),
    says: "Cannot make the topology: nodes must be a positive integer, got 0",
  },
  "half a rank": {
    call: world({ nodes: 1, ranksPerNode: 1.5 }),
    says: ["ranksPerNode must be a positive integer", "1.5"],
  },
  "too many ranks": {
    call: world({ nodes: 1e6, ranksPerNode: 1e6 }),
    says: ["nodes * ranksPerNode must be at most 1048576"],
  },
  "an unknown field of a topology": {
    call: world({ ...pair, proccesor: {} }),
    says: ['"proccesor" is none of its fields (nodes', 'did you mean "processor"?'],
  },
  "a link that is a number": {
    call: world({ ...pair, inter: 5 }),
    says: ["inter must be an object, got 5"],
  },
  "an unknown field of a link": {
    call: world({ ...pair, inter: { bandwith: 1 } }),
    says: ['"inter.bandwith" is none of its fields (inter.bandwidth', 'did you mean "bandwidth"?'],
  },
  "a bandwidth as seconds a byte": {
    call: world({ ...pair, inter: { alpha: 5e-6, beta: 50e9 } }),
    says: [
      "inter.beta must be at most 1000: seconds a byte (a rate in bytes a second is inter.bandwidth)",
    ],
  },
  "a bandwidth without its unit": {
    call: world({ ...pair, inter: { bandwidth: 50 } }),
    says: [
      'inter.bandwidth must be at least 1000 bytes a second (write "50 GB/s", or 50e9), got 50',
    ],
  },
  "a bandwidth of another unit": {
    call: world({ ...pair, inter: { bandwidth: "50 parsecs" } }),
    says: [
      'inter.bandwidth must be a rate such as "50 GB/s", or a number of B/s, got "50 parsecs"',
    ],
  },
  "a latency of another unit": {
    call: world({ ...pair, inter: { latency: "5 GB/s" } }),
    says: ['inter.latency must be a time such as "5 us", or a number of seconds, got "5 GB/s"'],
  },
  "a link said twice": {
    call: world({ ...pair, inter: { bandwidth: "50 GB/s", beta: 1e-9 } }),
    says: ["give one of inter.bandwidth and inter.beta, not both"],
  },
  "a latency of hours": {
    call: world({ ...pair, inter: { latency: 5e6 } }),
    says: ['inter.latency must be at most 1 s (write "5 us", or 5e-6), got 5000000'],
  },
  "a processor's rate of another unit": {
    call: world({ ...pair, processor: { flopRate: "989 TB/s" } }),
    says: ['processor.flopRate must be a rate such as "989 TFLOP/s"'],
  },
  "a negative alpha": {
    call: world({ ...pair, intra: { alpha: -1 } }),
    says: ["intra.alpha must be a number of at least 0, got -1"],
  },
  "a beta of text": {
    call: world({ ...pair, inter: { beta: "1" } }),
    says: ['inter.beta must be a number of at least 0, got "1"'],
  },
  "a processor that does nothing": {
    call: world({ ...pair, processor: { flopRate: 0 } }),
    says: ["processor.flopRate must be a positive number, got 0"],
  },
  "a processor for one of two ranks": {
    call: world({ ...pair, sharing: { of: [0], capacity: [1] } }),
    says: ["sharing.of must be one processor for each of 2 ranks, got 1"],
  },
  "sharing without its lists": {
    call: world({ ...pair, sharing: {} }),
    says: ["sharing.of must be an array with the processor of each rank"],
  },
  "turns of no length": {
    call: world({ ...pair, sharing: { of: [0, 0], capacity: [1], turns: { slice: 0 } } }),
    says: ["sharing.turns.slice must be a number of seconds above 0, got 0"],
  },
  "turns of transfers that are none": {
    call: world({
      ...pair,
      sharing: { of: [0, 0], capacity: [1], turns: { slice: 1, transfers: true as never } },
    }),
    says: ['sharing.turns.transfers must be "inTurn" or "first", got true'],
  },
  "transfers before kernels that do not stop": {
    call: world({
      ...pair,
      sharing: { of: [0, 0], capacity: [1], turns: { transfers: "first" } },
    }),
    says: ["sharing.turns.slice must be given where transfers go first, got undefined"],
  },
  "turns on no processor": {
    call: world({ ...pair, sharing: { of: [0, 0], capacity: [1], turns: { slice: 1, count: 0 } } }),
    says: ["sharing.turns.count must be"],
  },
  "sharing of an unknown kind": {
    call: world({ ...pair, sharing: { of: [0, 0], capacity: [1], slice: 1 } as never }),
    says: ['"sharing.slice"'],
  },
  "a processor of no capacity": {
    call: () => sharedProcessor(topology(pair), 0),
    says: ["sharing.capacity must be positive numbers, got 0"],
  },

  "an engine of nothing": {
    call: engine(undefined),
    says: ["Cannot open the engine: give an object such as", "got undefined"],
  },
  "an unknown engine": {
    call: engine({ kind: "gpu" }),
    says: ['Cannot open the engine: unknown kind "gpu", choose one of simulate, cpu'],
  },
  "an unknown option of an engine": {
    call: engine({ kind: "cpu", rank: 3 }),
    says: ['"rank" is not one of its options (kind, topology,'],
  },
  "unknown links": {
    call: engine({ kind: "cpu", links: "slow" }),
    says: ['unknown links "slow", choose one of emulated, plain'],
  },
  "links of the simulator": {
    call: engine({ kind: "simulate", links: "plain" }),
    says: ["links and computation are options of the cpu"],
  },
  "two worlds": {
    call: engine({ kind: "cpu", nodes: 1, topology: topology(pair) }),
    says: ["give a topology or nodes and ranksPerNode, not both"],
  },
  "a world of text": {
    call: engine({ kind: "simulate", topology: "8x4" }),
    says: ['Cannot make the topology: topology must be an object, got "8x4"'],
  },
  "an engine that is closed": {
    call: async () => {
      const closed = openEngine({ kind: "simulate", ...pair });
      closed.close();
      await createLayer(closed, { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2 }).forward();
    },
    says: "Cannot use the engine: it is closed",
  },

  "a simulation that is aborted": {
    call: () =>
      withLayer(
        {},
        (layer) => layer.forward({ signal: AbortSignal.abort() }),
        "simulate",
      ),
    says: "Cannot run the Program: it was aborted",
  },

  "a layer of nothing": {
    call: () => withLayer({}, (_, on) => createLayer(on, wrong(null))),
    says: ["Cannot make the layer: give an object with tokens, modelDim", "got null"],
  },
  "a layer on no engine": {
    call: () => createLayer(wrong(undefined), wrong({})),
    says: ["Cannot make the layer: give an engine first"],
  },
  "no tokens": {
    call: layer({ tokens: 0 }),
    says: "Cannot make the layer: tokens must be a positive integer, got 0",
  },
  "a missing size": {
    call: layer({ hiddenDim: undefined }),
    says: ["hiddenDim must be a positive integer, got undefined"],
  },
  "a size of text": {
    call: layer({ modelDim: wrong("4") }),
    says: ['modelDim must be a positive integer, got "4"'],
  },
  "an unknown field of a layer": {
    call: layer(wrong({ topk: 2 })),
    says: ['"topk" is not a field of a layer (tokens, modelDim'],
  },
  "experts that ranks cannot share": {
    call: layer({ experts: 3 }),
    says: ["2 ranks do not divide 3 experts; each rank holds equally many"],
  },
  "more choices than experts": {
    call: layer({ gate: topK({ k: 5 }) }),
    says: ["k 5 of the gate topK is more than the 2 experts there are"],
  },
  "no place for any token": {
    call: layer({ routing: { capacityFactor: 0.01 } }),
    says: ["the capacity is 0: capacityFactor 0.01", "raise it to at least 0."],
  },
  "no place for any token, whatever gates choose": {
    call: layer({ routing: { capacityFactor: -0.01 } }),
    says: ["the capacity is 0: capacityFactor -0.01", "lower it to at most -0."],
  },
  "a capacity that is no number": {
    call: layer({ routing: { capacityFactor: NaN } }),
    says: ["capacityFactor must be a finite number, got NaN"],
  },
  "yes instead of true": {
    call: () => topK({ normalize: wrong("yes") }),
    says: ['Cannot make the gate topK: normalize must be true or false, got "yes"'],
  },
  "an update of a gate without a rate": {
    call: () => signUpdate(wrong({ rate: null })),
    says: ["Cannot make the update sign: rate must be a finite number, got null"],
  },
  "a moving mean of more than all": {
    call: () => quantileUpdate({ ema: 1.5 }),
    says: ["Cannot make the update quantile: ema must be a number from 0 to 1, got 1.5"],
  },
  "an unknown option of a gate": {
    call: () => topK(wrong({ topK: 2 })),
    says: ['"topK" is not an option (k, scores, normalize, '],
  },
  "a gate with half an expert a token": {
    call: layer({ gate: topK({ k: 0.5 }) }),
    says: ["k of the gate topK must be a positive integer, got 0.5"],
  },
  "a gate that weighs nothing": {
    call: layer({ gate: topK({ weighs: wrong("both") }) }),
    says: ['weighs of the gate topK must be output or input, got "both"'],
  },
  "an unknown gate": {
    call: layer({ gate: "topk" }),
    says: ['unknown gate "topk"', "or give a value of your own", 'did you mean "topK"?'],
  },
  "a gate that was not made": {
    call: layer({ gate: wrong(topK) }),
    says: ["gate is a function; call it, if it makes one, as in topK({ k: 2 })"],
  },
  "an unknown field of the routing": {
    call: layer({ routing: { capacity: 2 } }),
    says: ['"capacity" is not a field of the routing (capacityFactor, capacityAlignment'],
  },
  "an unknown priority": {
    call: layer({ routing: { priority: "best" } }),
    says: ['priority must be tokens or scores, got "best"'],
  },
  "one loss instead of a list": {
    call: layer({ losses: gshard({ weight: 1 }) }),
    says: ["losses must be a list such as [gshard({ weight: 0.01 })]"],
  },
  "a loss that was not made": {
    call: layer({ losses: [gshard] }),
    says: ["losses[0] is not a loss; call it"],
  },
  "the same loss twice": {
    call: layer({ losses: [gshard({ weight: 1 }), gshard({ weight: 2 })] }),
    says: ["there are two losses gshard"],
  },
  ...Object.fromEntries(
    Object.entries({
      topK: [2, "gate: topK({ k: 2 })"],
      normalizeGate: [false, "gate: topK({ k, normalize: false })"],
      prescore: [true, 'gate: topK({ k, weighs: "input" })'],
      capacityFactor: [1.25, "routing: { capacityFactor: 1.25 }"],
      capacityAlignment: [8, "routing: { capacityAlignment: 8 }"],
      dropless: [true, "routing: { dropless: true }"],
      batchPrioritized: [true, 'routing: { priority: "scores" }'],
      auxWeight: [0.01, "losses: [gshard({ weight: 0.01 })]"],
    }).map(([old, [value, now]]) => [`${old}, as a layer once had it`, {
      call: layer({ [old]: value }),
      says: [`Cannot make the layer: write ${now} instead of ${old}: ${value}`],
    }]),
  ),
  "several options as a layer once had them": {
    call: layer({ topK: 1, dropless: true, auxWeight: 0.01, normalizeGate: false }),
    says: [
      "write gate: topK({ k: 1, normalize: false }), routing: { dropless: true }, losses: [gshard({ weight: 0.01 })] " +
      "instead of topK: 1, dropless: true, auxWeight: 0.01, normalizeGate: false (gshard is in @schemoe/lab/blocks)",
    ],
  },
  "an unknown option of spawnWorkers()": {
    call: () => spawnWorkers(1, wrong({ timelimit: 3 })),
    says:
      'Cannot spawn the workers: "timelimit" is not an option (timeLimit); did you mean "timeLimit"?',
  },
  "workers that may take no time": {
    call: () => spawnWorkers(1, { timeLimit: NaN }),
    says: "Cannot spawn the workers: the time limit NaN is not positive",
  },
  "an unknown option of gatherWorkers()": {
    call: () => gatherWorkers(wrong({ ranks: 3 })),
    says: ['Cannot gather the workers: "ranks" is not an option (timeLimit, process, processes'],
  },
  "an unknown expert": {
    call: layer({ expert: "swiGLU" }),
    says: ['unknown expert "swiGLU", choose one of clampedSwiglu, ffn', 'did you mean "swiglu"?'],
  },
  "an expert by name that needs options": {
    call: layer({ expert: "onnx" }),
    says: ['the expert "onnx" is made with options; call it, and give what it returns'],
  },
  "an expert that was not made": {
    call: layer({ expert: wrong(ffn) }),
    says: ["expert must be an object, got function; call it"],
  },
  "an expert without a function": {
    call: layer({ expert: { ...expert, saved: wrong(undefined) } }),
    says: ['Cannot use the expert "ffn(relu)": it has no function "saved"'],
  },
  "a gate without a function": {
    call: layer({ gate: { ...topK(), flops: wrong(undefined) } }),
    says: ['gate has no function "flops"'],
  },
  "an unknown activation": {
    call: () => ffn({ activation: wrong("tanh") }),
    says: ['Unknown activation "tanh": choose one of identity, relu'],
  },
  "an unknown option of an expert": {
    call: () => ffn(wrong({ act: "relu" })),
    says: ['"act" is not an option (activation, bias, scoreGradient)'],
  },
  "an unknown option of createLayer()": {
    call: () => withLayer({}, (made, on) => createLayer(on, made.layer, wrong({ sed: 1 }))),
    says: ['"sed" is not an option (seed)'],
  },
  "a seed in place of options": {
    call: () => withLayer({}, (made, on) => createLayer(on, made.layer, wrong(null))),
    says: ["Cannot make the layer: its options are an object such as { seed: 1 }, got null"],
  },
  "a seed of text": {
    call: () => withLayer({}, (made, on) => createLayer(on, made.layer, { seed: wrong("x") })),
    says: ['seed must be an integer, got "x"'],
  },
  "tensors that no array can hold": {
    call: forward({}, { modelDim: 2 ** 30, tokens: 2 ** 20 }),
    says: ["no memory", "fewer tokens", 'buffer "x"'],
  },
};
