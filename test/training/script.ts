/** Trains with a checkpoint at the path given, printing a line for each step: run by a test, which kills it. */
import { train } from "../../lib/training/mod.ts";
import { cpu, data, makeModel } from "./fixture.ts";

using engine = cpu(2);
using model = makeModel(engine);
const [checkpoint, steps] = Deno.args;
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
