/**
 * Several graphs one after another as one: the layers of a stack, and what lies between them.
 * @module
 */
import { aGraph, anything, expect, listOf, options, record, something } from "../arguments/mod.ts";
import {
  type HostFunction,
  type Kernel,
  type Life,
  type Pass,
  SchemoeError,
  type Task,
  type TaskGraph,
  type Transfer,
  type View,
} from "../types.ts";

const STACK_GRAPH_LIST = listOf(record("a segment { graph }", { graph: aGraph }), "segments");
const STACK_GRAPH_WHOLE = options({ pass: anything, kept: anything });

/** A graph in a stack. */
export interface Segment {
  /** Its tasks. */
  readonly graph: TaskGraph;
  /** Layer that it belongs to. */
  readonly layer: number;
  /** Begins the names of its tasks and buffers, such as `L0.`. */
  readonly prefix: string;
  /** Begins the names of its buffers where that is another: of two passes over the same layer. */
  readonly buffers?: string;
  /** Whole names of buffers that it shares with others, by their name in the graph. */
  readonly shared?: Readonly<Record<string, string>>;
  /** Lives of buffers in the stack that differ from those in the graph, by their name in the graph. */
  readonly lives?: Readonly<Record<string, Life>>;
  /** Tasks that the next segment's first ones wait for, of this segment or of earlier ones. */
  readonly exits: readonly Task[];
  /** Tasks of earlier segments that its own first ones wait for; default: the exits of the one before. */
  readonly after?: readonly Task[];
}

/** A segment with its tasks in the stack, by their ids in the segment's graph. */
export interface StackedSegment {
  /** As it was given. */
  readonly segment: Segment;
  /** Its tasks in the stack's graph. */
  readonly tasks: readonly Task[];
}

const segments = new WeakMap<TaskGraph, readonly StackedSegment[]>();

/** The graphs that a stack was made of, each with its tasks in the stack; undefined for other graphs. */
export function segmentsOf(graph: TaskGraph): readonly StackedSegment[] | undefined {
  expect("segmentsOf", "graph", graph, aGraph);
  return segments.get(graph);
}

/**
 * One graph of all segments in their order. Tasks without dependencies wait for the exits of the segment
 * before; names and buffers get the segment's prefix, so that the same layer can come several times.
 *
 * @param whole.pass of the whole where segments are of several, as those of a training step.
 * @param whole.kept names of buffers that other graphs read or write too, so that what they hold outlives this one.
 * @throws {SchemoeError} for segments of different worlds or passes, or the same prefix twice.
 */
export function stackGraph(
  list: readonly Segment[],
  configuration: TaskGraph["configuration"],
  whole: { readonly pass?: Pass; readonly kept?: ReadonlySet<string> } = {},
): TaskGraph {
  expect("stackGraph", "list", list, STACK_GRAPH_LIST);
  expect("stackGraph", "configuration", configuration, something);
  expect("stackGraph", "whole", whole, STACK_GRAPH_WHOLE);
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot stack the graphs: ${problem}`);
  };
  if (list.length === 0) fail("there are none");
  const { topology } = list[0].graph;
  const pass = whole.pass ?? list[0].graph.pass;
  const tasks: Task[] = [];
  const parts: StackedSegment[] = [];
  const ids = new Map<Task, number>();
  const idsOf = (some: readonly Task[], prefix: string) =>
    Object.freeze(
      some.map((task) =>
        ids.get(task) ?? fail(`"${prefix}" waits for ${task.name}, which no segment before it has`)
      ),
    );
  let entries: readonly number[] = [];
  for (const segment of list) {
    const { graph, prefix } = segment;
    if (graph.topology !== topology) fail(`"${prefix}" is for another world`);
    if (!whole.pass && graph.pass !== pass) {
      fail(`"${prefix}" is a ${graph.pass} pass, the first one is ${pass}`);
    }
    if (parts.some((part) => part.segment.prefix === prefix)) fail(`"${prefix}" comes twice`);
    const offset = tasks.length;
    const named = new Naming(segment);
    if (segment.after) entries = idsOf(segment.after, prefix);
    const first = entries;
    const added = graph.tasks.map((task) => Object.freeze(named.task(task, offset, first)));
    for (const task of graph.tasks) ids.set(task, task.id + offset);
    tasks.push(...added);
    parts.push({ segment, tasks: added });
    entries = idsOf(segment.exits, prefix);
  }
  const stacked: TaskGraph = {
    pass,
    topology,
    tasks: Object.freeze(tasks),
    configuration,
    lives: livesOf(list, whole.kept),
    chunks: list.reduce((most, { graph }) => Math.max(most, graph.chunks), 0),
    get buffers() {
      const sizes: Record<string, number> = {};
      for (const segment of list) {
        for (const [name, bytes] of Object.entries(segment.graph.buffers)) {
          const whole = bufferName(segment, name);
          sizes[whole] = Math.max(sizes[whole] ?? 0, bytes);
        }
      }
      return sizes;
    },
  };
  segments.set(stacked, parts);
  return stacked;
}

/** From the shortest life to the longest. */
const LIVES: readonly Life[] = [
  "pass",
  "saved",
  "gradient",
  "output",
  "input",
  "state",
  "parameter",
];

/** The longest life that any segment gives each buffer; what others use too ends with none of them. */
function livesOf(list: readonly Segment[], kept?: ReadonlySet<string>): Record<string, Life> {
  const lives: Record<string, Life> = {};
  for (const segment of list) {
    for (const name of Object.keys(segment.graph.buffers)) {
      const whole = bufferName(segment, name);
      const given = segment.lives?.[name] ?? segment.graph.lives?.[name] ?? "saved";
      const life = given === "pass" && kept?.has(whole) ? "saved" : given;
      const before = lives[whole];
      if (before === undefined || LIVES.indexOf(life) > LIVES.indexOf(before)) lives[whole] = life;
    }
  }
  return lives;
}

/** Name of a segment's buffer in the stack. */
const bufferName = ({ prefix, buffers = prefix, shared }: Segment, name: string): string =>
  shared && Object.hasOwn(shared, name) ? shared[name] : buffers + name;

/** Renames the buffers of a segment's tasks. */
class Naming {
  readonly #hosts = new Map<HostFunction, HostFunction>();

  constructor(readonly segment: Segment) {}

  task(task: Task, offset: number, entries: readonly number[]): Task {
    const { segment } = this;
    const { kernels, transfers } = task;
    return {
      id: task.id + offset,
      name: segment.prefix + task.name,
      layer: segment.layer,
      kind: task.kind,
      label: task.label,
      pass: task.pass,
      chunk: task.chunk,
      stage: task.stage,
      lane: task.lane,
      flops: task.flops,
      ...(task.rankFlops ? { rankFlops: task.rankFlops } : {}),
      after: task.after.length ? Object.freeze(task.after.map((id) => id + offset)) : entries,
      get bytes() {
        return task.bytes;
      },
      kernels: kernels && ((rank) => kernels(rank).map((kernel) => this.#kernel(kernel))),
      transfers: transfers &&
        ((rank) => transfers(rank).map((transfer) => this.#transfer(transfer))),
      ...(task.traffic ? { traffic: task.traffic } : {}),
      ...(task.uses
        ? { uses: Object.freeze(task.uses.map((name) => bufferName(segment, name))) }
        : {}),
    };
  }

  #kernel(kernel: Kernel): Kernel {
    const { args, run } = kernel;
    return {
      ...kernel,
      args: args.map((arg) => typeof arg === "number" ? arg : this.#view(arg)),
      ...(run ? { run: this.#host(run) } : {}),
    };
  }

  /** A function that names the buffers of its own graph. */
  #host(run: HostFunction): HostFunction {
    let renamed = this.#hosts.get(run);
    if (!renamed) {
      renamed = (at) =>
        run({
          rank: at.rank,
          read: (view, bytes) => at.read(this.#view(view), bytes),
          write: (view, data) => at.write(this.#view(view), data),
        });
      this.#hosts.set(run, renamed);
    }
    return renamed;
  }

  #transfer(transfer: Transfer): Transfer {
    const { from, to } = transfer;
    return {
      ...transfer,
      ...(from ? { from: this.#view(from) } : {}),
      ...(to ? { to: this.#view(to) } : {}),
    };
  }

  #view(view: View): View {
    const { buffer, offset } = view;
    if (buffer === "") return view; // an argument that is left out
    return { buffer: bufferName(this.segment, buffer), offset };
  }
}
