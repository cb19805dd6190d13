/** Trains with a checkpoint at the path given, printing a line for each step: run by a test, which kills it. */
import { train } from "../../lib/training/mod.ts";
import { cpu, data, dropless, makeModel, sizes } from "./fixture.ts";

using engine = cpu(2);
const [checkpoint, steps, routing] = Deno.args;
const layers = routing === "dropless" ? dropless : sizes.layers;
using model = makeModel(engine, 1, { layers });
const run = await train(model, {
  data,
  checkpoint,
  steps: Number(steps),
  checkpointEvery: 3,
  reportEvery: 1,
  validateEvery: 0,
  compressor: "int8",
  chunks: 2,
  scheduler: "optSche",
  progress: ({ step }) => console.log(`step ${step}`),
});
console.log(JSON.stringify(run.steps));
