/** Tasks that may be run in the order of their chunks without loss. @module */
import type { Task, TaskGraph } from "../types.ts";

/**
 * Groups of tasks of which some optimal schedule runs each in the order given; a task that may not be
 * moved is a group of its own.
 *
 * A group is one stage of chunks that have the same tasks, dependencies and costs. Why index order is
 * enough: take any schedule and let the k-th start of each stage be that of chunk k. A stage runs on
 * one lane and takes the same time for each chunk, so its k-th start is also its k-th end. When a
 * stage starts for the k-th time, k of its predecessors have ended, so the k-th of them has: the
 * dependencies inside chunks hold, and all times stay. With chunks of two sizes that is true inside each
 * size, but not of their mixture. A dependency between chunks (weight gradients are added up in chunk
 * order) fixes the order of its stage beforehand; any other one dissolves the groups that it touches.
 *
 * @param same whether two tasks cost the same and meet the same peers.
 */
export function interchangeable(graph: TaskGraph, same: (a: Task, b: Task) => boolean): Task[][] {
  let classes = chunkClasses(graph, same).filter(inOrder);
  while (true) {
    const groupOf = groupsOf(graph, classes);
    const broken = brokenClass(graph, groupOf);
    if (!broken) return [...new Set(groupOf)].map(({ tasks }) => tasks);
    classes = classes.filter((jobs) => jobs !== broken);
  }
}

/** Chunks with the same tasks, each a list of its tasks. */
type ChunkClass = Task[][];

interface Group {
  readonly tasks: Task[];
  readonly of?: ChunkClass;
}

function chunkClasses(graph: TaskGraph, same: (a: Task, b: Task) => boolean): ChunkClass[] {
  const jobs = new Map<string, Task[]>();
  for (const task of graph.tasks) {
    if (task.chunk < 0 || task.chunk >= graph.chunks) continue;
    const key = `${task.layer} ${task.pass} ${task.chunk}`;
    const job = jobs.get(key);
    if (job) job.push(task);
    else jobs.set(key, [task]);
  }
  const classes: { readonly shape: string; readonly jobs: ChunkClass }[] = [];
  for (const job of jobs.values()) {
    const shape = shapeOf(job);
    const alike = classes.find((c) =>
      c.shape === shape && c.jobs[0].every((task, i) => same(task, job[i]))
    );
    if (alike) alike.jobs.push(job);
    else classes.push({ shape, jobs: [job] });
  }
  return classes.map(({ jobs }) => jobs).filter((jobs) => jobs.length > 1);
}

/** Whether later chunks have larger ids at every stage. */
const inOrder = (jobs: ChunkClass): boolean =>
  jobs.every((job, i) => i === 0 || job.every(({ id }, stage) => id > jobs[i - 1][stage].id));

/** Lanes, labels and inner dependencies of the tasks of a chunk. */
function shapeOf(job: readonly Task[]): string {
  const place = new Map(job.map(({ id }, i) => [id, i]));
  const tasks = job.map((
    { lane, label, after },
  ) => [lane, label, after.map((id) => place.get(id)).filter((i) => i !== undefined)]);
  return JSON.stringify([job[0].layer, job[0].pass, tasks]);
}

/** The group of each task, by id. */
function groupsOf({ tasks }: TaskGraph, classes: readonly ChunkClass[]): Group[] {
  const groups: Group[] = tasks.map((task) => ({ tasks: [task] }));
  for (const jobs of classes) {
    for (let stage = 0; stage < jobs[0].length; stage++) {
      const group = { tasks: jobs.map((job) => job[stage]), of: jobs };
      for (const { id } of group.tasks) groups[id] = group;
    }
  }
  return groups;
}

/** A class for which the proof does not hold, because of a dependency out of or into one chunk. */
function brokenClass(graph: TaskGraph, groupOf: readonly Group[]): ChunkClass | undefined {
  if (groupOf.every((group) => !group.of)) return undefined;
  const ancestors = ancestorsOf(graph);
  const dependsOn = (task: Task, id: number) =>
    (ancestors[task.id][id >> 5] >>> (id & 31) & 1) === 1;
  const fixed = new Map<Group, boolean>();
  const isFixed = (group: Group) => {
    const known = fixed.get(group) ??
      group.tasks.every((task, i) => i === 0 || dependsOn(task, group.tasks[i - 1].id));
    fixed.set(group, known);
    return known;
  };
  // asked for each dependency between two groups, of which there are as many as chunks
  const behind = new Map<Group, Map<Group, boolean>>();
  const isBehind = (group: Group, before: Group) => {
    let known = behind.get(group);
    if (!known) behind.set(group, known = new Map());
    let all = known.get(before);
    if (all === undefined) {
      all = group.tasks.every((t) => before.tasks.every((b) => dependsOn(t, b.id)));
      known.set(before, all);
    }
    return all;
  };
  for (const task of graph.tasks) {
    const group = groupOf[task.id];
    for (const id of task.after) {
      const before = groupOf[id];
      if (before.of && before.of === group.of && graph.tasks[id].chunk === task.chunk) continue;
      if (isFixed(group) && isFixed(before)) continue;
      if (isBehind(group, before)) continue;
      return isFixed(before) ? group.of : before.of;
    }
  }
}

/** Ancestors of each task, as sets of bits. */
function ancestorsOf({ tasks }: TaskGraph): Uint32Array[] {
  const words = (tasks.length + 31) >> 5;
  const sets: Uint32Array[] = [];
  for (const { after } of tasks) {
    const set = new Uint32Array(words);
    for (const id of after) {
      for (let word = 0; word < words; word++) set[word] |= sets[id][word];
      set[id >> 5] |= 1 << (id & 31);
    }
    sets.push(set);
  }
  return sets;
}
