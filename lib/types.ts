/**
 * The vocabulary of the project: data that the folders of `lib/` hand to each other.
 * Only types and the one error class live here.
 * @module
 */

/** What went wrong, where, and what to do. The only error class of the project. */
export class SchemoeError extends Error {
  override name = "SchemoeError";
  /** Status of the native library, where it came from there (see `schemoe.h`). */
  readonly status?: number;
  /** Rank at which it happened. */
  readonly rank?: number;
  constructor(message: string, at: { status?: number; rank?: number; cause?: unknown } = {}) {
    super(message, { cause: at.cause });
    this.status = at.status;
    this.rank = at.rank;
  }
}

/** What runs one task at a time on a rank. */
export type Lane = "compute" | "intra" | "inter";
/** All lanes, in the order of their numbers in the native library. */
export const LANES = ["compute", "intra", "inter"] as const satisfies readonly Lane[];

/** Direction of a pass over the layer, or a whole training step. */
export type Pass = "forward" | "backward" | "step";

/** Kinds of task; the colour of a bar in a Gantt chart. */
export type TaskKind =
  | "gate"
  | "dispatch"
  | "compress"
  | "allToAll"
  | "decompress"
  | "expert"
  | "expertInputGrad"
  | "expertWeightGrad"
  | "combine"
  | "allReduce"
  | "opaque";

/** Time of a transfer of n bytes is `alpha + beta * n`. */
export interface Link {
  /** Start-up time in seconds. */
  readonly alpha: number;
  /** Seconds per byte. */
  readonly beta: number;
}

/** What one rank computes with: a task takes `alpha + flops / flopRate + bytes / byteRate`. */
export interface Processor {
  /** Start-up time of a task in seconds. */
  readonly alpha: number;
  /** Floating-point operations a second. */
  readonly flopRate: number;
  /** Bytes of memory traffic a second. */
  readonly byteRate: number;
}

/** Nodes of ranks, the links between them and the processors below them. */
export interface Topology {
  /** What captions call it, such as `h200-ib400`; absent where links were put together by hand. */
  readonly name?: string;
  /** Where its numbers come from, in one line. */
  readonly source?: string;
  readonly nodes: number;
  readonly ranksPerNode: number;
  /** `nodes * ranksPerNode`. */
  readonly ranks: number;
  /** Link between two ranks of one node, of two nodes, and of a rank to itself (alpha unused). */
  readonly links: { readonly intra: Link; readonly inter: Link; readonly local: Link };
  readonly processor: Processor;
  /**
   * Ranks that share a processor: `of[rank]` is its number, `capacity[number]` how many compute
   * tasks it runs at full speed at once. Absent: each rank has its own.
   */
  readonly sharing?: { readonly of: readonly number[]; readonly capacity: readonly number[] };
  /** Speed of each rank's computation, 1 being that of `processor`: 0.5 is a straggler. */
  readonly speed?: readonly number[];
  /**
   * `cards` network cards for the ranks of a node (default 1), neighbours sharing one: what they send to
   * other nodes shares their card fairly, at `beta` seconds a byte, while each stays within its own
   * inter-node link.
   */
  readonly nic?: { readonly beta: number; readonly cards?: number };
  /** Switches between nodes, where they cannot carry all that the cards can send. */
  readonly spine?: Spine;
  /**
   * How many times longer computation takes while a communication lane of its rank transfers, and a
   * transfer while its rank computes; each at least 1.
   */
  readonly contention?: { readonly compute: number; readonly communication: number };
}

/**
 * Leaf switches below a spine. What stays below one leaf has the full rate of its links; what crosses the
 * spine shares the uplinks of the sender's leaf fairly, which carry `1 / oversubscription` of what all
 * cards below that leaf can send.
 */
export interface Spine {
  /** At least 1; 1 is a network without bottleneck. */
  readonly oversubscription: number;
  /** Neighbouring nodes below one leaf (or one set of rails); default 1, with rails all nodes. */
  readonly nodesPerLeaf?: number;
  /**
   * Each card of a node (each rank, without `nic`) is below a leaf of its own, together with the cards of
   * the same place in the other nodes: ranks of equal place reach each other without the spine.
   */
  readonly rails?: boolean;
}

/** Bytes inside a named buffer of a rank; the same name exists on every rank. */
export interface View {
  readonly buffer: string;
  /** Offset in bytes. */
  readonly offset: number;
}

/** One call of a native kernel: its name and arguments in the order of the kernel table. */
export interface Kernel {
  readonly name: string;
  readonly args: readonly (number | View)[];
  /** Of a `host` kernel: the function that it calls while its lane waits. */
  readonly run?: HostFunction;
}

/**
 * How long what a buffer holds is needed:
 * - `parameter`, `state`: until the layer is closed; set or made once, changed by updates alone;
 * - `input`: set by the user, read by passes; `output`, `gradient`: until the next pass that writes it;
 * - `saved`: from a forward pass to the backward pass after it;
 * - `pass`: within one pass. Buffers of this life share memory where the graph keeps them apart.
 */
export type Life = "parameter" | "state" | "input" | "output" | "gradient" | "saved" | "pass";

/** A piece of an all-to-all phase of one rank, in bytes. */
export interface Transfer {
  readonly kind: "copy" | "send" | "receive";
  /** The other rank (the rank itself for a copy). */
  readonly peer: number;
  readonly bytes: number;
  /** Source of a copy or send. */
  readonly from?: View;
  /** Target of a copy or receive. */
  readonly to?: View;
}

/** Messages to other ranks over one kind of link, and the slices in them. */
export interface LinkTraffic {
  readonly sends: number;
  readonly sent: number;
  readonly receives: number;
  readonly received: number;
}

/** What a rank moves in one phase, in slices. */
export interface RankTraffic {
  /** Slices copied inside the rank. */
  readonly copied: number;
  readonly intra: LinkTraffic;
  readonly inter: LinkTraffic;
  /** Slices of `inter.sent` that cross the spine; absent in a topology without one. */
  readonly spine?: number;
}

/**
 * Who moves how much in a phase, without naming a byte of any buffer: enough to price it and to know
 * who waits for whom. Tasks that differ in the size of a slice share one.
 */
export interface TrafficPattern {
  of(rank: number): RankTraffic;
  /** Each rank once that it sends to or receives from, in rising order, without itself. */
  peers(rank: number): ArrayLike<number>;
}

/** A pattern with the bytes of its slices. */
export interface Traffic {
  readonly pattern: TrafficPattern;
  readonly sliceBytes: number;
}

/** One unit of scheduling; stands for one operation on every rank. */
export interface Task {
  /** Index in `graph.tasks`. */
  readonly id: number;
  /** Unique in the graph, such as `E[2]` or `A1[0] inter`. */
  readonly name: string;
  readonly kind: TaskKind;
  /** The paper's letter: C1 A1 D1 E C2 A2 D2 (also `gate`, `dispatch`, `Ei`, `Ew`, ...). */
  readonly label: string;
  readonly pass: Pass;
  /** Chunk index; -1 for tasks before the chunks, `graph.chunks` for tasks after them. */
  readonly chunk: number;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  readonly lane: Lane;
  /**
   * Ids of the tasks it depends on, all smaller than its own. A weight gradient depends on that of the
   * chunk before it, into which it adds: sums then have one order, and every schedule gives the same bits.
   */
  readonly after: readonly number[];
  /** Floating-point operations on the busiest rank. */
  readonly flops: number;
  /** The same of each rank, where they differ. */
  readonly rankFlops?: (rank: number) => number;
  /** Communication: bytes sent over links; computation: bytes of memory traffic. Busiest rank. */
  readonly bytes: number;
  /** What a rank computes. Absent for tasks that only take time. */
  readonly kernels?: (rank: number) => readonly Kernel[];
  /** What a rank transfers. Present exactly for communication. */
  readonly transfers?: (rank: number) => readonly Transfer[];
  /** The same as byte counts, where they are known without listing `transfers`. */
  readonly traffic?: Traffic;
  /**
   * Names of all buffers that its kernels or transfers may name, on any rank. Absent: not known, so that no
   * buffer of its graph shares memory.
   */
  readonly uses?: readonly string[];
  /** Layer of a stack, 0 for a single one. */
  readonly layer: number;
}

/** The tasks of one pass with what they depend on: pure data. */
export interface TaskGraph {
  readonly pass: Pass;
  readonly chunks: number;
  readonly topology: Topology;
  readonly tasks: readonly Task[];
  /** Bytes of each buffer that the kernels and transfers name, on every rank. */
  readonly buffers: Readonly<Record<string, number>>;
  /** How long each of them is needed; default `saved`. */
  readonly lives?: Readonly<Record<string, Life>>;
  /** What was chosen, for captions and saved runs. */
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
}

/** Reads and writes the buffers of the rank whose lane waits for it. */
export interface HostContext {
  readonly rank: number;
  /** Copies `bytes` bytes out of a buffer. */
  read(view: View, bytes: number): Uint8Array<ArrayBuffer>;
  /** Copies bytes into a buffer. */
  write(view: View, data: Uint8Array): void;
}

/** What a `host` kernel runs in JavaScript; its lane waits, all other lanes go on. */
export type HostFunction = (context: HostContext) => void | Promise<void>;

/** Seconds of each task, known before it runs. */
export interface Costs {
  /** Where the numbers come from: `model`, `measured alone`, ... */
  readonly source: string;
  /** Seconds on one rank, or on the slowest when no rank is given. */
  seconds(task: Task, rank?: number): number;
}

/** A total order of tasks, with further edges `[before, after]` if it wants some. */
export type Schedule = readonly Task[] | {
  readonly order: readonly Task[];
  readonly after: readonly (readonly [Task, Task])[];
};

/** Chooses the order in which tasks run. A pure function of its arguments. */
export interface Scheduler {
  readonly name: string;
  order(graph: TaskGraph, costs: Costs): Schedule;
  /** How it splits a pass when only a number is given; default: capacity slices. */
  chunking?(chunks: number): Chunking;
}

/** `count` (default 1) consecutive slices of a buffer of an all-to-all. */
export interface Slice {
  readonly buffer: "input" | "output" | "scratch";
  readonly index: number;
  readonly count?: number;
}

/**
 * A piece of a phase: a copy in a rank, or one side of a transfer. `part` is present where only a sub-range
 * of one slice moves: from its first to before its second number, in parts of the algorithm's `parts`. A part
 * keeps its place in its slice wherever that lies, and both sides of a transfer name the same one.
 */
export type Step =
  & (
    | { readonly kind: "copy"; readonly from: Slice; readonly to: Slice }
    | { readonly kind: "send"; readonly from: Slice; readonly peer: number }
    | { readonly kind: "receive"; readonly to: Slice; readonly peer: number }
  )
  & { readonly part?: readonly [number, number] };

/** Steps of a rank that are posted together on one lane, in no order among each other. */
export interface Phase {
  /** Tells it from the other phases in task names; default: its lane. */
  readonly name?: string;
  readonly lane: "intra" | "inter";
  /**
   * Indices of the phases it comes after; default: the one before it. Phases without a path between
   * them may run in any order, also on one lane: that is the scheduler's to choose.
   */
  readonly after?: readonly number[];
  readonly steps: readonly Step[];
}

/**
 * An all-to-all algorithm. `input` slice j of rank i must become `output` slice i of rank j.
 * All ranks have the same list of phases; a phase may have no steps on a rank. The k-th send from
 * i to j in a phase meets the k-th receive of j from i. It is proven before it is used, see
 * `proveAllToAll`.
 */
export interface AllToAll {
  readonly name: string;
  /** Into how many equal parts its steps may cut a slice; default 1: slices move whole. */
  readonly parts?: number;
  /** True where the plan depends on `traffic`: it is then made anew for every exchange. */
  readonly byTraffic?: boolean;
  /** @param at.traffic what is exchanged, given where `byTraffic` is true; equal slices if absent. */
  plan(at: {
    readonly rank: number;
    readonly topology: Topology;
    readonly traffic?: TrafficMatrix;
  }): readonly Phase[];
}

/** Bytes that each rank has for each other one, and for itself. */
export interface TrafficMatrix {
  readonly ranks: number;
  bytes(source: number, destination: number): number;
}

/** How a pass is split. */
export interface Chunking {
  readonly name: string;
  /**
   * Chunks of a layer of this capacity, in order. A dropless layer gives its loads too: the places of a
   * chunk then have rows only where there are tokens for them.
   */
  split(at: {
    readonly capacity: number;
    readonly topology: Topology;
    readonly loads?: Loads;
  }): readonly Chunk[];
}

/** How many tokens each rank sends to each expert. */
export interface Loads {
  readonly ranks: number;
  readonly experts: number;
  /** [ranks, experts]. */
  readonly table: Int32Array;
}

/** Rows that belong to one group of a matrix. */
export interface RowRange {
  readonly first: number;
  readonly rows: number;
}

/** One part of a pass: capacity rows `begin` to `end` of every expert. */
export interface Chunk {
  readonly begin: number;
  readonly end: number;
  /**
   * Present where a pass is split by peers: group g of the ranks holds `bounds[g]` to `bounds[g + 1]`,
   * and in this chunk its ranks send to group g + step (in a ring). All chunks of a pass have the same
   * bounds and all rows, and each step is there once.
   */
  readonly peers?: { readonly bounds: readonly number[]; readonly step: number };
}

/** Rows and columns of a block that a compressor encodes. */
export interface WireBlock {
  readonly rows: number;
  readonly columns: number;
  /** Bytes of an element before encoding; default 4. */
  readonly elementBytes?: number;
  /**
   * Rows of each expert, which follow each other; default all of one. Given to a compressor that codes several
   * rows together.
   */
  readonly groups?: readonly number[];
}

/** A codec of the native library, by its name in the table `CODECS` of `lib/kernels/codecs.ts`. */
export interface NativeCodec {
  readonly codec: string;
  /** What the codec lets one choose, such as bits a value; default the least. */
  readonly parameter?: number;
  /** Rounds at random, with bits that depend on it, where the codec can; default 0: to nearest. */
  readonly seed?: number;
}

/** Where a codec in JavaScript is called. */
export interface CodecContext {
  /** The rank that encodes or decodes, and the rank at the other end of the wire. */
  readonly rank: number;
  readonly peer: number;
  readonly chunk: number;
  /** 1 towards the experts, 2 back. */
  readonly leg: 1 | 2;
  readonly pass: Pass;
  /**
   * Number of the token in each row, -1 for a place without one; undefined on the experts' side, where it is
   * not known.
   */
  readonly tokens: Int32Array | undefined;
  /**
   * Memory that outlives the run, zero at first, one for each name and (pass, leg, chunk, rank, peer).
   * @throws {SchemoeError} when it was asked for with another size before.
   */
  state(name: string, bytes: number): Uint8Array;
}

/**
 * A codec. Built-in ones name a native kernel; others give `encode` and `decode`, which run in
 * JavaScript while other lanes go on.
 */
export interface Compressor {
  readonly name: string;
  /** Bytes on the wire of one block; at least 1 for a block that is not empty. */
  wireBytes(block: WireBlock): number;
  readonly native?: NativeCodec;
  /** Codes several rows of an expert together: `wireBytes` is given how many each expert has. */
  readonly grouped?: boolean;
  /** Floats of a block, row by row, to exactly `wireBytes(block)` bytes. */
  encode?(
    values: Float32Array,
    block: WireBlock,
    context: CodecContext,
  ): Uint8Array | Promise<Uint8Array>;
  /** The inverse, to `rows * columns` floats. */
  decode?(
    bytes: Uint8Array,
    block: WireBlock,
    context: CodecContext,
  ): Float32Array | Promise<Float32Array>;
}

/** Type of the elements of a buffer. */
export type ElementType = "float32" | "bfloat16";

/**
 * Matrix of `groups` experts: element (g, i, j) is the one `g stride + i ld + j` after `offset`.
 *
 * With `ranges` (the rows of a dropless layer) groups have numbers of rows of their own: those of group g
 * are `ranges[g].rows` from `ranges[g].first` on, element (i, j) of them all being the one `i ld + j`
 * after `offset`; `rows` is their sum and `stride` NaN, so that code which does not know of it fails.
 */
export interface Matrix extends View {
  /** Default `float32`. */
  readonly dtype?: ElementType;
  readonly ranges?: readonly RowRange[];
  readonly rows: number;
  readonly columns: number;
  /** Elements from row to row. */
  readonly ld: number;
  readonly groups: number;
  /** Elements from group to group. */
  readonly stride: number;
}

/** A trained tensor of a block. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Rows that a block keeps: name and columns. */
export interface SavedShape {
  readonly name: string;
  readonly columns: number;
  /** `saved` (default) from forward to backward; `pass` within one pass, where it may share memory. */
  readonly life?: "saved" | "pass";
}

/**
 * A part of a layer written with kernels: an expert, a gate, a norm, attention, a head with its loss.
 * @typeParam Shape the sizes that it depends on.
 * @typeParam Context its tensors, for the rows that it works on.
 */
export interface Block<Shape, Context> {
  readonly name: string;
  /** Trained tensors, each initialised with deviation 1 / sqrt(first dimension). */
  parameters(shape: Shape): readonly ParameterShape[];
  /** What it keeps from one of its kernels to another. */
  saved(shape: Shape): readonly SavedShape[];
  forward(context: Context): readonly Kernel[];
  /** Absent: the block cannot run backward. */
  inputGrad?(context: Context): readonly Kernel[];
  weightGrad?(context: Context): readonly Kernel[];
  /** Floating-point operations for one row. */
  flops(shape: Shape): { forward: number; inputGrad: number; weightGrad: number };
}

/** Sizes of one expert. */
export interface ExpertShape {
  readonly modelDim: number;
  readonly hiddenDim: number;
}

/** What an expert reads and writes for the rows of one chunk, local experts being groups. */
export interface ExpertContext {
  readonly shape: ExpertShape;
  /** Number of the first local expert, and how many there are. */
  readonly firstExpert: number;
  readonly experts: number;
  /** Input and output rows; in backward their gradients are `dx` and `dy`. */
  readonly x: Matrix;
  readonly y: Matrix;
  readonly dx: Matrix;
  readonly dy: Matrix;
  /** A parameter, its gradient, or an activation saved from forward to backward. */
  parameter(name: string): Matrix;
  gradient(name: string): Matrix;
  saved(name: string): Matrix;
  /** True when this is the first chunk: weight gradients start at zero instead of adding up. */
  readonly first: boolean;
  /** Kernel that calls a JavaScript function; its lane waits, other lanes go on. */
  host(run: HostFunction): Kernel;
}

/** The feed-forward network of one expert, written with kernels. */
export interface Expert extends Block<ExpertShape, ExpertContext> {
  /** Throws when it does not fit a layer; asked before anything else. */
  check?(layer: ExpertShape & { readonly experts: number; readonly dtype?: string }): void;
}

/** How the logits of a gate become scores. */
export type GateScores = "softmax" | "sigmoid" | "sqrtSoftplus" | "softmaxOfChosen" | "relu";

/** Sizes that a gate depends on. */
export interface GateShape {
  /** Tokens of a rank. */
  readonly tokens: number;
  readonly modelDim: number;
  readonly experts: number;
  /** Experts, and what the gate has beside them: experts without computation. */
  readonly rows: number;
}

/** A tensor of a gate's own, called `gate.` and its name. */
export interface GateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: "float32" | "int32";
  /**
   * `parameter`: trained, the same on all ranks; `state`: the same on all ranks, without a gradient; the others
   * are each rank's own: `input` set by the user, `saved` from forward to backward, `pass` within a pass.
   */
  readonly life: "parameter" | "state" | "input" | "saved" | "pass";
  /** Standard deviation of the values it begins with; default 0. */
  readonly deviation?: number;
  /** Or one value that all its elements begin with; default 0. */
  readonly constant?: number;
}

/** Tensors of the gate of one rank; float32 but for `x`, `dx` and those marked int32. */
export interface GateContext extends GateShape {
  /** Type of `x` and `dx`; default `float32`. */
  readonly dtype?: ElementType;
  /** Choices that a token has room for. */
  readonly topK: number;
  /** Whether choices may be -1 or experts without computation, so that `targets` tell them apart. */
  readonly partial: boolean;
  /** Whether places go to tokens by descending best score. */
  readonly prioritized: boolean;
  /** Places of an expert where they do not depend on the routing, else 0. */
  readonly capacity: number;
  /** [tokens, modelDim]. */
  readonly x: View;
  /** [tokens, rows] each. */
  readonly logits: View;
  readonly scores: View;
  /** [tokens, topK]: row of each choice (int32; -1: none), its weight, its position in the expert (int32). */
  readonly choices: View;
  readonly weights: View;
  readonly positions: View;
  /** Of a partial gate: the choices with expert 0 where there is no row (int32); else `choices`. */
  readonly targets: View;
  /** [rows] int32: tokens that chose it, before dropping. */
  readonly loads: View;
  /** Backward: gradient of `weights`, of the logits, and of `x` (added to when `accumulate`). */
  readonly dWeights: View;
  readonly dLogits: View;
  readonly dx: View;
  readonly accumulate: boolean;
  /** Slopes that the losses of the layer left for backward; absent where no loss has any. */
  readonly slopes: {
    readonly balance?: View;
    readonly importance?: View;
    readonly load?: View;
    readonly zWeight: number;
    /** Of a fused gate: weight of the loss of GShard where no other loss has slopes; 0 without losses. */
    readonly gshard?: number;
  };
  /** A tensor of its own. @throws {SchemoeError} for an unknown name. */
  tensor(name: string): View;
  /** This rank's part of the gradient of a parameter. */
  gradient(name: string): View;
  /** Kernel that calls a JavaScript function; its lane waits, other lanes go on. */
  host(run: HostFunction): Kernel;
}

/** Chooses experts and their weights for each token. */
export interface Gate {
  readonly name: string;
  /** Experts of a token, for the capacity and captions. */
  readonly k: number;
  /** Choices that a token has room for; default `k`. */
  readonly slots?: number | "experts";
  /** What a weight multiplies: the expert's output (default) or its input. */
  readonly weighs?: "output" | "input";
  /** Experts without computation, which return their input; default 0. */
  readonly identities?: number;
  /** Whether choices may be -1; so are those of a gate with identities, in effect. Default false. */
  readonly partial?: boolean;
  /** How logits become scores; absent: losses that need scores are refused. */
  readonly scores?: GateScores;
  /** Whether its backward kernel adds the gradient of the loss of GShard where that is the only loss. */
  readonly fused?: boolean;
  /** Its own places of an expert for the tokens of a rank, instead of those of the routing. */
  capacity?(shape: GateShape & { readonly capacityFactor: number }): number;
  /** Tensors of its own; default `weight` [rows, modelDim], trained. */
  tensors?(shape: GateShape): readonly GateTensor[];
  forward(context: GateContext): readonly Kernel[];
  backward(context: GateContext): readonly Kernel[];
  /** What it changes without a gradient after the backward pass. */
  readonly update?: GateUpdate;
  flops(shape: GateShape): { forward: number; backward: number };
}

/** A change without a gradient: what each rank finds is summed over ranks, and applied by all. */
export interface GateUpdate {
  readonly name: string;
  /** Writes this rank's part [rows]. */
  part(context: GateContext, part: View): readonly Kernel[];
  /** Applies the sum over all ranks. */
  apply(context: GateContext, sum: View & { readonly ranks: number }): readonly Kernel[];
}

/** What a loss reads and writes on one rank. */
export interface LossContext extends GateContext {
  /** Ranks over which `counts` are summed: all of them for a loss over the global batch, else 1. */
  readonly ranks: number;
  /** Factor of the loss in the total. */
  readonly weight: number;
  /** How the gate makes scores. */
  readonly kind: GateScores;
  /** A tensor of the gate; `tensor` gives those of the loss. @throws {SchemoeError} for an unknown name. */
  gateTensor(name: string): View;
  /** [rows]: what the loss counts. */
  readonly counts: View;
  /** Its value [1], and the total to which `weight` times it is added. */
  readonly loss: View;
  readonly total: View;
}

/** A loss on the routing, in the total with its weight. */
export interface Loss {
  readonly name: string;
  readonly weight: number;
  /** Whether its counts are summed over all ranks. */
  readonly global?: boolean;
  /** Slopes that it leaves for the gate's backward pass. */
  readonly slopes: readonly ("balance" | "importance" | "load" | "z")[];
  /** Tensors of its own, called `loss.`, its name and theirs. */
  tensors?(shape: GateShape & { readonly topK: number }): readonly GateTensor[];
  /** Writes `counts`. */
  count?(context: LossContext): readonly Kernel[];
  forward(context: LossContext): readonly Kernel[];
}

/** Times of the operations of one run, in nanoseconds from its start. */
export interface EventTable {
  /** Position in the order, and rank, of each event. */
  readonly position: Uint32Array;
  readonly rank: Uint32Array;
  /** All dependencies done; begun; ended; of that, waited for a peer. */
  readonly ready: Float64Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly wait: Float64Array;
  /** What it was paced to take without waiting, 0 for as fast as it goes; absent where none is. */
  readonly paced?: Float64Array;
}

/** All operations of a graph in one total order, with what each waits for: pure data. */
export interface Program {
  readonly graph: TaskGraph;
  /** Name of the scheduler that made the order. */
  readonly scheduler: string;
  readonly order: readonly Task[];
  /**
   * For each position in the order, the earlier positions it waits for on the same rank, reduced to
   * at most one a lane (a lane runs in order, so its own are implied).
   */
  readonly waits: readonly (readonly number[])[];
  /** Likewise before the reduction: dependencies of the graph and edges of the scheduler. */
  readonly dependencies: readonly (readonly number[])[];
}

/** Named buffers of all ranks, kept from run to run. */
export interface Workspace {
  /** Makes each buffer at least that large (bytes); one that grows loses its contents. */
  ensure(buffers: Readonly<Record<string, number>>): void;
  /** Copies an array's bytes into a buffer of a rank. */
  write(name: string, rank: number, data: ArrayBufferView, offset?: number): void;
  /** Copies bytes out of a buffer of a rank. */
  read(name: string, rank: number, bytes: number, offset?: number): Uint8Array<ArrayBuffer>;
  /** The same into bytes that are there: as many as they are. */
  readInto(name: string, rank: number, data: Uint8Array<ArrayBuffer>, offset?: number): void;
  /** `ensure`, `write` and `readInto` off the event loop. What is written must not change meanwhile. */
  ensureAsync(buffers: Readonly<Record<string, number>>): Promise<void>;
  writeAsync(name: string, rank: number, data: ArrayBufferView, offset?: number): Promise<void>;
  readAsync(
    name: string,
    rank: number,
    data: Uint8Array<ArrayBuffer>,
    offset?: number,
  ): Promise<void>;
  free(): void;
}

/** How a Program is run. */
export interface RunOptions {
  /** Seconds after which the run ends with an error; default 600, in a notebook 60. */
  readonly timeLimit?: number;
  /** Aborting it ends the run with an error. */
  readonly signal?: AbortSignal;
  /** Every compute operation alone on the machine, each task after the one before: for costs. */
  readonly isolated?: boolean;
  /**
   * For what is no part of a pass: waits for the run in progress instead of being refused, other runs wait for
   * it, and it goes as fast as it can, whatever the engine emulates.
   */
  readonly background?: boolean;
}

/** Runs Programs. The only part with effects. */
export interface Engine {
  readonly kind: "simulate" | "cpu" | "cuda";
  readonly topology: Topology;
  /** False for the simulator: workspaces hold no values. */
  readonly computes: boolean;
  /** How its times come about, for captions: `emulated links, paced computation`. */
  readonly timing: string;
  /** True when every task takes what the cost model says, so that nothing needs to be measured alone. */
  readonly modelled: boolean;
  /** The ranks whose operations it runs, all others doing as these; absent: every rank. */
  readonly representatives?: readonly number[];
  workspace(): Workspace;
  run(program: Program, workspace: Workspace, options?: RunOptions): Promise<EventTable>;
  /**
   * Runs a short Program without host functions before it returns; false where it cannot, which changes nothing.
   */
  runNow?(program: Program, workspace: Workspace): boolean;
  /** Resolves once no run and no pass of a layer goes on any more, such as one whose `await` was forgotten. */
  idle(): Promise<void>;
  /** Frees everything; closing twice does nothing, use after closing throws. */
  close(): void;
  [Symbol.dispose](): void;
}
