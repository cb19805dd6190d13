/**
 * Data that every folder of `lib/` speaks of, and the one error class. What only one kind of value needs is in
 * the `types.ts` of its folder, such as `lib/schedulers/types.ts`.
 * @module
 */

/** The only error class of the project: its message says what went wrong, where, and what to do. */
export class SchemoeError extends Error {
  /** Always `SchemoeError`. */
  override name = "SchemoeError";
  /** Status of the native library, where it came from there (see `schemoe.h`). */
  readonly status?: number;
  /** Rank at which it happened. */
  readonly rank?: number;
  /**
   * An error with a message for the user, without a final period.
   * @param at status of the native library, the rank where it happened, and the error that caused this one.
   */
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

/** The processor of a rank: a task takes `alpha + flops / flopRate + bytes / byteRate`. */
export interface Processor {
  /** Start-up time of a task in seconds. */
  readonly alpha: number;
  /** Floating-point operations a second. */
  readonly flopRate: number;
  /** Bytes of memory traffic a second. */
  readonly byteRate: number;
}

/**
 * Processors on which lanes take turns, first come, first served. With a slice as threads do: each until it waits for
 * something, or for that time where others wait for a processor. Without one as kernels in the queue of a GPU do: each
 * kernel of a task to its end, the task having begun while it waits; those that need part of a processor (`width` of costs)
 * run beside each other.
 */
export interface Turns {
  /** Lanes that run at once; default the capacity, rounded up. Where it is more, all run slower when all are busy. */
  readonly count?: number;
  /** Seconds of a slice of a thread. */
  readonly slice?: number;
  /**
   * Transfers need a processor too, to post and for as long as they take once their peers are there: after those that
   * wait already, or before all computation, so that one of these threads stops for them. Absent: they need none.
   */
  readonly transfers?: "inTurn" | "first";
}

/** Nodes of ranks, the links between them and the processors below them. */
export interface Topology {
  /** What captions call it, such as `h200-ib400`; absent where links were put together by hand. */
  readonly name?: string;
  /** Where its numbers come from, in one line. */
  readonly source?: string;
  /** Machines, each with `ranksPerNode` ranks. */
  readonly nodes: number;
  /** Ranks of a node; rank r is on node floor(r / ranksPerNode). */
  readonly ranksPerNode: number;
  /** `nodes * ranksPerNode`. */
  readonly ranks: number;
  /** Link between two ranks of one node, of two nodes, and of a rank to itself (alpha unused). */
  readonly links: { readonly intra: Link; readonly inter: Link; readonly local: Link };
  /** What computes for one rank. */
  readonly processor: Processor;
  /**
   * Ranks that share processors: `of[rank]` is the number of theirs, `capacity[number]` how many compute
   * tasks these run at full speed at once. More than that share them evenly at any time, or with `turns` one
   * after another. Absent: each rank has its own.
   */
  readonly sharing?: {
    readonly of: readonly number[];
    readonly capacity: readonly number[];
    readonly turns?: Turns;
  };
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
  /** Name of the buffer. */
  readonly buffer: string;
  /** Offset in bytes. */
  readonly offset: number;
}

/** One call of a native kernel: its name and arguments in the order of the kernel table. */
export interface Kernel {
  /** Name in the table of kernels, such as `gemm`. */
  readonly name: string;
  /** Numbers and places in buffers, in the order of the table. */
  readonly args: readonly (number | View)[];
  /** Further integers of a kernel that takes any number of them, such as the rows of each expert. */
  readonly more?: Int32Array;
  /** In place of them: rows that a kernel before it on the same lane counts; of `count_rows` those that it counts. */
  readonly counted?: CountedRows;
  /** Of a `host` kernel: the function that it calls while its lane waits. */
  readonly run?: HostFunction;
  /** Of a `host` kernel: whose function it is, where its time is to be told from that of others. */
  readonly label?: string;
  /** Of a `call_source` kernel: the code that it calls, compiled before the first run. */
  readonly source?: SourceCode;
}

/**
 * Rows that a rank sends, one expert after another, and those that its own experts get, which are counted while a Program
 * runs. Kernels and transfers that have the same object mean the same rows.
 */
export interface CountedRows {
  /** Experts of all ranks, of which each has as many. */
  readonly experts: number;
  /** Rows that the rank sends, under every routing. */
  readonly rows: number;
  /** Ranks that send each other rows. */
  readonly ranks: number;
  /** Which of them has these. */
  readonly rank: number;
  /** Most rows that the experts of a rank may get: more end the run. */
  readonly room: number;
}

/** Rows of a transfer that are counted: those of the peer. */
export interface MovedRows {
  /** Whose they are: of the rank of the transfer. */
  readonly rows: CountedRows;
  /**
   * Whether they are among those that the rank's experts get, and not among those that it sends; of a copy where it takes
   * them from.
   */
  readonly received: boolean;
  /** Bytes of a row. */
  readonly rowBytes: number;
}

/** Code of a user's own. */
export interface SourceCode {
  /** What errors call it. */
  readonly name: string;
  /** Names of its functions, with their numbers of pointers and the most integers that they take. */
  readonly functions: Readonly<
    Record<string, { readonly buffers: number; readonly numbers: number }>
  >;
  /** In C++; default: engines on the CPU cannot run it. */
  readonly cpu?: string;
  /** In CUDA; default: engines on GPUs cannot run it. */
  readonly cuda?: string;
  /**
   * Whether the functions take elements of bfloat16 (`uint16_t*`) where a layer has them; vectors of its parameters stay
   * float32. Default false: rows of bfloat16 are refused, which would be read as floats.
   */
  readonly bfloat16?: boolean;
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
  /** A copy inside the rank, or one side of a message. */
  readonly kind: "copy" | "send" | "receive";
  /** The other rank (the rank itself for a copy). */
  readonly peer: number;
  /** Length, the same on both sides. */
  readonly bytes: number;
  /** Source of a copy or send. */
  readonly from?: View;
  /** Target of a copy or receive. */
  readonly to?: View;
  /** Present where rows are counted: views are then those of all rows, and the length is that of about equal loads. */
  readonly counted?: MovedRows;
}

/** Messages to other ranks over one kind of link, and the slices in them. */
export interface LinkTraffic {
  /** Messages sent. */
  readonly sends: number;
  /** Slices in the messages sent. */
  readonly sent: number;
  /** Messages received. */
  readonly receives: number;
  /** Slices in the messages received. */
  readonly received: number;
}

/** Traffic of a rank in one phase, in slices. */
export interface RankTraffic {
  /** Slices copied inside the rank. */
  readonly copied: number;
  /** Messages to and from ranks of the same node. */
  readonly intra: LinkTraffic;
  /** Messages to and from ranks of other nodes. */
  readonly inter: LinkTraffic;
  /** Slices of `inter.sent` that cross the spine; absent in a topology without one. */
  readonly spine?: number;
}

/**
 * Who moves how much in a phase, without naming a byte of any buffer: enough to price it and to know
 * who waits for whom. Tasks that differ in the size of a slice share one.
 */
export interface TrafficPattern {
  /** What a rank sends, receives and copies. */
  of(rank: number): RankTraffic;
  /** Each rank once that it sends to or receives from, in rising order, without itself. */
  peers(rank: number): ArrayLike<number>;
  /** The same for all ranks at once, where it is known by nodes. */
  readonly nodePairs?: NodePairs;
}

/**
 * Ranks that meet, by pairs of nodes: a rank of node `from[i]` and one of node `to[i]` for each number in
 * `lists[list[i]]`, which is `place of the first in its node * ranksPerNode + place of the second`. Either way round.
 */
export interface NodePairs {
  /** Ranks of a node. */
  readonly ranksPerNode: number;
  /** First node of each pair of nodes. */
  readonly from: Int32Array;
  /** Second node of each pair. */
  readonly to: Int32Array;
  /** Which of `lists` holds for the pair. */
  readonly list: Int32Array;
  /** Pairs of ranks, as places in their nodes; pairs of nodes with the same pattern share one. */
  readonly lists: readonly Int32Array[];
}

/** A pattern with the bytes of its slices. */
export interface Traffic {
  /** Who moves how many slices. */
  readonly pattern: TrafficPattern;
  /** Bytes of a slice. */
  readonly sliceBytes: number;
}

/** One unit of scheduling: one operation on every rank. */
export interface Task {
  /** Index in `graph.tasks`. */
  readonly id: number;
  /** Unique in the graph, such as `E[2]` or `A1[0] inter`. */
  readonly name: string;
  /** What it does, which decides its colour and whether it is communication. */
  readonly kind: TaskKind;
  /** The paper's letter: C1 A1 D1 E C2 A2 D2 (also `gate`, `dispatch`, `Ei`, `Ew`, ...). */
  readonly label: string;
  /** Pass to which it belongs. */
  readonly pass: Pass;
  /** Chunk index; -1 for tasks before the chunks, `graph.chunks` for tasks after them. */
  readonly chunk: number;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  /** The queue of its rank that runs it; tasks of one lane never overlap. */
  readonly lane: Lane;
  /**
   * Ids of the tasks it depends on, all smaller than its own. A weight gradient depends on that of the
   * chunk before it, into which it adds: sums then have one order, and every schedule gives the same bits. A
   * scheduler with `reassociate: true` does without: its sums have the order in which it runs them.
   */
  readonly after: readonly number[];
  /** Floating-point operations on the busiest rank. */
  readonly flops: number;
  /** The same of each rank, where they differ. */
  readonly rankFlops?: (rank: number) => number;
  /** Communication: bytes sent over links; computation: bytes of memory traffic. Busiest rank. */
  readonly bytes: number;
  /** Kernels of a rank. Absent for tasks that only take time. */
  readonly kernels?: (rank: number) => readonly Kernel[];
  /** Transfers of a rank. Present exactly for communication. */
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

/** The tasks of one pass with their dependencies: pure data. */
export interface TaskGraph {
  /** Pass that the tasks make up. */
  readonly pass: Pass;
  /** Parts into which the pass is split. */
  readonly chunks: number;
  /** World for which it was built. */
  readonly topology: Topology;
  /** All tasks; `tasks[i].id` is i, and a task comes after those on which it depends. */
  readonly tasks: readonly Task[];
  /** Bytes of each buffer that the kernels and transfers name, on every rank. */
  readonly buffers: Readonly<Record<string, number>>;
  /** How long each of them is needed; default `saved`. */
  readonly lives?: Readonly<Record<string, Life>>;
  /** Choices, for captions and saved runs. */
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
}

/** Reads and writes the buffers of the rank whose lane waits for it. */
export interface HostContext {
  /** Rank whose lane waits. */
  readonly rank: number;
  /** Copies `bytes` bytes out of a buffer. */
  read(view: View, bytes: number): Uint8Array<ArrayBuffer>;
  /** Copies bytes into a buffer. */
  write(view: View, data: Uint8Array): void;
}

/** Function of a `host` kernel; its lane waits, all other lanes go on. */
export type HostFunction = (context: HostContext) => void | Promise<void>;

/** How many tokens each rank sends to each expert. */
export interface Loads {
  /** Rows of the table. */
  readonly ranks: number;
  /** Columns of the table. */
  readonly experts: number;
  /** [ranks, experts]. */
  readonly table: Int32Array;
}

/** One part of a pass: capacity rows `begin` to `end` of every expert. */
export interface Chunk {
  /** First capacity row of the chunk. */
  readonly begin: number;
  /** Row after its last one. */
  readonly end: number;
  /**
   * Present where a pass is split by peers: group g of the ranks holds `bounds[g]` to `bounds[g + 1]`,
   * and in this chunk its ranks send to group g + step (in a ring). All chunks of a pass have the same
   * bounds and all rows, and each step is there once.
   */
  readonly peers?: { readonly bounds: readonly number[]; readonly step: number };
  /**
   * Present where a pass is split by experts: those of each rank (or its slots) from `begin` to `end`. All chunks of a
   * pass have all rows, and each expert of a rank is in one of them.
   */
  readonly experts?: { readonly begin: number; readonly end: number };
}
