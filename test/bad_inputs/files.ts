/** Files and timelines that are not what they should be. */
import { busy, gantt, loadRun, onnx, readChromeTrace, saveRun, show } from "../../mod.ts";
import {
  chromeTrace,
  concatTimelines,
  fromArrow,
  fromChromeTrace,
  fromCSV,
  fromParquet,
  makespan,
  verdict,
} from "../../lib/timeline/mod.ts";
import { parseSafetensors } from "../../lib/files/safetensors.ts";
import { forwardTimeline, timelineOf } from "../timeline/fixture.ts";
import { type BadInputs, wrong } from "./bad_input.ts";

const timeline = forwardTimeline({ nodes: 1, ranksPerNode: 2, chunks: 1 });
const safetensors = (...bytes: number[]) => () =>
  parseSafetensors(new Uint8Array(bytes), "a.safetensors");

export const files: BadInputs = {
  "safetensors without a header": {
    call: safetensors(1, 2, 3),
    says: "Cannot read a.safetensors: it has 3 bytes, a header needs at least 8",
  },
  "safetensors with a huge header": {
    call: safetensors(...Array(64).fill(255)),
    says: ["Cannot read a.safetensors: its header of 18446744073709551615 bytes is over the limit"],
  },
  "safetensors whose header is no JSON": {
    call: safetensors(2, 0, 0, 0, 0, 0, 0, 0, 123, 120),
    says: ["Cannot read a.safetensors: its header is not valid JSON"],
  },

  "a trace that is no JSON": {
    call: () => fromChromeTrace("hello"),
    says: ["Cannot import the trace given: it is not JSON", "at byte 0"],
  },
  "a trace that is cut off": {
    call: () => fromChromeTrace('{"traceEvents": [{"ph":'),
    says: ["it ends in the middle of a value; it is cut off, at byte 23"],
  },
  "a trace whose event has no time": {
    call: () => fromChromeTrace('[{"ph":"X","name":"k","dur":1}]'),
    says: ['event 0 ("k") has ts undefined, not a number'],
  },
  "a trace without slices": {
    call: () => fromChromeTrace('{"traceEvents":[]}'),
    says: ['it has no slices (events "X", or pairs of "B" and "E")'],
  },
  "a trace file that is not there": {
    call: () => readChromeTrace("no/such.json"),
    says: ["Cannot import the trace no/such.json: "],
  },
  "a trace of a rank that is not there": {
    call: () => chromeTrace(timeline, { rank: 9 }),
    says: ["the timeline has no rank 9, it has 2 ranks"],
  },
  "an unknown option of a trace": {
    call: () => chromeTrace(timeline, wrong({ arrow: 1 })),
    says: ['"arrow" is not an option (programs, arrows, rank)'],
  },

  "a saved run that is not there": {
    call: () => loadRun("no/such"),
    says: "Cannot load the run no/such: there is no run.json; name the folder that saveRun wrote",
  },
  "a saved run of nothing": {
    call: () => loadRun(wrong(null)),
    says: [`folder must be a path or file URL, such as "out/run", got null`],
  },
  "a run without a timeline": {
    call: () => saveRun(wrong({}), "no/such"),
    says: "Cannot save the run: give a run or a timeline",
  },
  "a model that is not there": {
    call: () => onnx(["no/such.onnx"]),
    says: ["Cannot use no/such.onnx as an expert: it cannot be read"],
  },
  "experts of no models": {
    call: () => onnx([]),
    says: ["give an array with a model for each expert"],
  },

  "a CSV file of something else": {
    call: () => fromCSV("a,b\n1,2\n"),
    says: 'Cannot read the timeline: it has no column "run"',
  },
  "an empty CSV file": {
    call: () => fromCSV(""),
    says: ["Cannot read the timeline: give the text of a CSV file with a header line"],
  },
  "bytes that are not Arrow": {
    call: () => fromArrow(new Uint8Array(3)),
    says: ["Cannot read the timeline: "],
  },
  "bytes that are not Parquet": {
    call: () => fromParquet(new Uint8Array(3)),
    says: ["the bytes are not a Parquet file"],
  },

  "a timeline without a column": {
    call: () => makespan(timeline.rename({ end_ns: "end" })),
    says: 'Cannot read the timeline: it has no column "end_ns"',
  },
  "a timeline that is no table": {
    call: () => busy(wrong({})),
    says: "Cannot read the timeline: give a run or a timeline",
  },
  "a time that is no number": {
    call: () => makespan(timelineOf([{ start: 0, end: NaN }])),
    says: ['column "end_ns" holds NaN in row 0, not a number'],
  },
  "two runs on one axis": {
    call: () =>
      makespan(timelineOf([{ run: "a", start: 0, end: 1 }, { run: "b", start: 0, end: 1 }])),
    says: ['it holds 2 runs ("a", "b"), filter it to one'],
  },
  "timelines of other columns": {
    call: () => concatTimelines(timeline, timeline.select("rank")),
    says: ['it has no column "run"'],
  },
  "an unknown option of a chart": {
    call: () => gantt(timeline, wrong({ with: 3 })),
    says: ['Cannot draw the Gantt chart: "with" is not an option (document, width'],
  },
  "a chart of no width": {
    call: () => gantt(timeline, { width: -5 }),
    says: ["width is -5, not a number of pixels from 400 to 20000"],
  },
  "a chart of a rank that is not there": {
    call: () => gantt(timeline, { ranks: [77] }),
    says: ["the timeline has no rank 77, it has 2 ranks"],
  },
  "a bound below zero": {
    call: () => verdict({ timeline, bound: -1 }),
    says: ["it is -1 s, not a positive time"],
  },
  "a table that is none": {
    call: () => show(wrong(3)),
    says: ["Cannot show the table: it is neither an Arquero table nor a run"],
  },
};
