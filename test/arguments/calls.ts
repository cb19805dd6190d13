/** Right calls of exported functions, each of whose arguments is then made wrong while the others stay right. */
import * as lab from "../../mod.ts";
import * as alltoall from "../../lib/alltoall/mod.ts";
import * as blocks from "../../lib/blocks/mod.ts";
import * as compressors from "../../lib/compressors/mod.ts";
import * as costs from "../../lib/costs/mod.ts";
import * as engines from "../../lib/engines/mod.ts";
import * as kernels from "../../lib/kernels/mod.ts";
import * as layers from "../../lib/layer/mod.ts";
import * as placements from "../../lib/placements/mod.ts";
import * as profile from "../../lib/profile/mod.ts";
import * as adaptive from "../../lib/adaptive/mod.ts";
import * as routing from "../../lib/routing/mod.ts";
import * as schedulers from "../../lib/schedulers/mod.ts";
import * as studies from "../../lib/studies/mod.ts";
import * as timeline from "../../lib/timeline/mod.ts";
import * as training from "../../lib/training/mod.ts";

/** A function and arguments that it takes. */
export type RightCall = readonly [(...args: never[]) => unknown, readonly unknown[]];

/** Right calls; what they need is made once. */
export async function rightCalls(): Promise<readonly RightCall[]> {
  const world = lab.topology({ nodes: 2, ranksPerNode: 2 });
  const engine = lab.openEngine({ kind: "simulate", topology: world });
  const sizes = { tokens: 16, modelDim: 8, hiddenDim: 16, experts: 4 };
  const layer = lab.createLayer(engine, sizes);
  const run = await layer.forward();
  const [{ program, events }] = run.ran;
  const trace = routing.uniformRouting({ ranks: 4, tokens: 8, experts: 4, topK: 2 });
  const loads = routing.loadsOf(trace);
  const traffic = routing.trafficOfLoads(loads, 64);
  const groups = routing.tokenGroups(trace, { ranksPerNode: 2 });
  const placement = placements.identityPlacement(4, 4);
  const { graph } = program;
  const model = costs.modelCosts(world);
  const resolved = blocks.resolveLayer(sizes, world);
  const view = { buffer: "x", offset: 0 };
  const matrix = { ...view, rows: 2, columns: 2, ld: 2, groups: 1, stride: 4 };
  const host = { rank: 0, read: (_: unknown, bytes: number) => new Uint8Array(bytes), write() {} };
  const column = { ...view, rows: 2, columns: 1, ld: 1, groups: 1, stride: 2 };
  const options = { theme: "light" };
  return [
    // mod.ts
    [lab.topology, [{ nodes: 2, ranksPerNode: 2 }]],
    [lab.sharedProcessor, [world, 2]],
    [lab.testbed, ["h200-ib400", { nodes: 2, ranksPerNode: 2 }]],
    [lab.openEngine, [{ kind: "simulate", nodes: 2, ranksPerNode: 2 }]],
    [lab.createLayer, [engine, sizes, { seed: 1 }]],
    [lab.createStack, [engine, { layer: sizes, layers: 2 }]],
    [lab.acrossLayers, [lab.optSche]],
    [lab.exactSchedule, [graph, model, { timeLimit: 0.1 }]],
    [lab.exactWith, [{ timeLimit: 1 }]],
    [lab.manual, [["gate"]]],
    // blocks
    [blocks.adamw, [{ betas: [0.9, 0.95], epsilon: 1e-8, weightDecay: 0.1 }]],
    [blocks.sgd, [{ momentum: 0.9 }]],
    [blocks.rmsNorm, [{ epsilon: 1e-5 }]],
    [blocks.layerNorm, [{ epsilon: 1e-5 }]],
    [blocks.rotaryPositions, [{ base: 10000 }]],
    [blocks.constantRate, [0.1]],
    [blocks.cosineRate, [{ peak: 0.1, warmup: 2, steps: 10, final: 0.1 }]],
    [blocks.topK, [{ k: 2, scores: "softmax", normalize: true, scale: 1 }]],
    [blocks.noisyTopK, [{ k: 2 }]],
    [blocks.cosineTopK, [{ k: 2, width: 4 }]],
    [blocks.expertChoice, [{ k: 2 }]],
    [blocks.reluRouting, [{ k: 2, identities: 0 }]],
    [blocks.tokenRounding, [{ k: 2, tile: 4 }]],
    [blocks.linearLogits, [{ bias: true }]],
    [blocks.ffn, [{ activation: "relu", bias: true }]],
    [blocks.gshard, [{ weight: 0.1 }]],
    [blocks.signUpdate, [{ rate: 0.1 }]],
    [blocks.resolveLayer, [sizes, world]],
    [blocks.capacity, [resolved, 4]],
    [blocks.tokensOf, [resolved, 0]],
    [blocks.ofRank, [resolved, 0]],
    // codecs, placements, routings
    [compressors.fixedRateZfp, [{ rate: 8, dimensions: 2 }]],
    [compressors.largestShare, [0.1]],
    [placements.identityPlacement, [4, 4]],
    [placements.eplb, [loads, world, { slotsPerRank: 2 }]],
    [placements.rankLoads, [loads, placement, { ranksPerNode: 2 }]],
    [placements.trafficOfPlacement, [loads, placement, { ranksPerNode: 2, bytesPerToken: 4 }]],
    [placements.placementMoves, [placement, placement, { ranksPerNode: 2, expertBytes: 4 }]],
    [
      placements.placementInGroups,
      [loads, {
        expert: loads.ranks,
        place: () => placements.identityPlacement(loads.experts, loads.ranks),
      }],
    ],
    [placements.shadowed, [loads, { expert: 4, token: 4 }]],
    [placements.fasterMoeShadows, [loads, { token: 1, send: 1, weights: 1 }]],
    [routing.uniformRouting, [{ ranks: 4, tokens: 8, experts: 4, topK: 2, seed: 1 }]],
    [routing.zipfRouting, [{ ranks: 4, tokens: 8, experts: 4, topK: 2, exponent: 1 }]],
    [routing.trafficOfLoads, [loads, 64, { expert: 4 }]],
    [routing.wavesOfLoads, [loads, { waves: 1, bytesPerToken: 4 }]],
    [routing.routingOfLoads, [loads, { tokens: 16, topK: 1 }]],
    [routing.tokenGroups, [trace, { ranksPerNode: 2 }]],
    [routing.gravityTraffic, [{ sent: [1, 1], received: [1, 1], bytesPerToken: 4 }]],
    [routing.megatronTrace, [trace, { step: 1, layer: 0 }]],
    [layers.randomNormal, [4, { seed: 1, scale: 1 }]],
    // costs, exchanges, graphs
    [costs.modelCosts, [world, {}]],
    [costs.lowerBound, [graph, model]],
    [costs.linkBetween, [world, 0, 1]],
    [costs.computeSeconds, [world, { flops: 1, bytes: 1 }]],
    [costs.taskSeconds, [world, graph.tasks[0], 0]],
    [costs.measuredCosts, [program, [events]]],
    [costs.completeExchange, [world, { slices: 1, copied: 0 }]],
    [alltoall.allToAllBound, [world, traffic]],
    [alltoall.proveAllToAll, [alltoall.pipe, world, traffic]],
    [alltoall.nodeDispatch, [world, groups]],
    [alltoall.groupOrder, [world, groups]],
    [engines.simulate, [program, world, {}]],
    [engines.openSimulator, [world, {}]],
    [schedulers.pipeMoeChunks, [{
      allToAll: { alpha: 1, work: 1 },
      expert: { alpha: 1, work: 1 },
      most: 4,
    }]],
    [layers.predictingLayer, [layer]],
    [kernels.weighRows, [{ d: matrix, rows: matrix, weights: column, dots: column, add: true }]],
    [kernels.gemm, [matrix, matrix, matrix, { transA: true }]],
    [kernels.glu, [matrix, matrix, matrix, "silu"]],
    [kernels.copyBytes, [4, view, view]],
    [kernels.fill, [4, view, 0]],
    [kernels.matrixOf, [view, 2, 2]],
    [kernels.rowsOfGroup, [matrix, 0]],
    [kernels.readRows, [host, matrix, 0]],
    [kernels.writeRows, [host, matrix, 0, new Float32Array(matrix.rows * matrix.columns)]],
    [kernels.softmax, [2, 2, view, view]],
    // runs
    [timeline.gantt, [run, options]],
    [timeline.ganttSvg, [run, options]],
    [timeline.ganttHtml, [run, options]],
    [timeline.chromeTrace, [run, { arrows: 1 }]],
    [timeline.makeTimeline, [program, events, { run: "a", pass: "forward" }]],
    [timeline.predictedVsMeasured, [run, run]],
    [timeline.difference, [run, run]],
    [timeline.compare, [[run, run], options]],
    [timeline.report, [[run], { title: "x" }]],
    [timeline.roofline, [run, { flopRate: "1 TFLOP/s", byteRate: "1 TB/s" }]],
    [timeline.busBandwidth, [run, { size: 4 }]],
    [timeline.progress, [4, "runs", {}]],
    [timeline.show, [run, {}]],
    [timeline.formatRate, [1, 1, "B"]],
    [timeline.imbalance, [[1, 2]]],
    [timeline.svgToPng, ["<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>", {
      scale: 1,
    }]],
    // studies and profiles
    [studies.compareAllToAlls, [world, traffic, ["linear"]]],
    [studies.compareDispatch, [world, trace, { rowBytes: 64 }]],
    [studies.nodeDispatchProgram, [world, groups, 64]],
    [studies.replayRouting, [trace, {
      engine,
      layer: { modelDim: 8, hiddenDim: 8 },
      schedulers: ["sequential"],
      allToAlls: ["linear"],
    }]],
    [studies.routerStudy, [engine, { layer: sizes, gates: { top1: blocks.topK() }, steps: 1 }]],
    [studies.skewCosts, [{
      topology: world,
      bytesPerToken: 64,
      skews: [0],
      routing: { tokens: 8, experts: 4 },
      allToAlls: ["linear"],
    }]],
    [studies.codecRows, ["normal", { count: 2, columns: 4, seed: 1 }]],
    [studies.valueError, [new Float32Array(4), new Float32Array(4), 2]],
    [studies.whatIf, [run, { vary: "inter.bandwidth", values: [1e9] }]],
    [studies.theorem1Losses, [{ chunks: [2], count: 1, seed: 1 }]],
    [studies.allGatherInSteps, [studies.RING4, { chunks: 1, rounds: [1, 1], tries: 1 }]],
    [studies.exchangeInSteps, [studies.RING4, [1, 1]]],
    [studies.sharedExpertStudy, [engine, { ...sizes, shared: { hiddenDim: 8 } }]],
    [profile.median, [[1, 2]]],
    [profile.quantile, [[1, 2], 0.5]],
    [profile.kindOf, [graph.tasks[0]]],
    [profile.workOf, [graph.tasks[0], 0, 1]],
    [profile.relativeFit, [[[1, 2], [1, 3]], [1, 2]]],
    [profile.corrected, [1, [{ seconds: 1, factor: 1 }]]],
    [adaptive.kendallTau, [[[{ predicted: 1, measured: [1] }]]]],
    [adaptive.regretOf, [[{ predicted: 1, measured: [1] }]]],
    [adaptive.randomShapes, [1, { around: sizes, topology: world, seed: 1 }]],
    [adaptive.fasterMoeChoice, [layer, loads]],
    [training.textData, ["some text to train on, long enough", { validation: 0 }]],
    [training.randomTokens, [{ vocabulary: 4, seed: 1 }]],
  ] as unknown as readonly RightCall[];
}
