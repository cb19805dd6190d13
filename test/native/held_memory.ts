/**
 * Whether memory of a worker stays where it is while a call on another thread uses it, though the worker is ended: a
 * `read` of a pipe into it, which fails with EFAULT where it is gone. Prints `held` or `freed`. With `pointer` it is
 * given by its address, which holds nothing.
 */
const libc = Deno.dlopen("libc.so.6", {
  pipe: { parameters: ["buffer"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  hold: {
    name: "read",
    parameters: ["i32", "buffer", "usize"],
    result: "isize",
    nonblocking: true,
  },
  point: {
    name: "read",
    parameters: ["i32", "pointer", "usize"],
    result: "isize",
    nonblocking: true,
  },
}).symbols;
/** More than malloc keeps when it is freed. */
const BYTES = 1 << 26;
const POLLIN = 1;
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const of = new URL(import.meta.url).searchParams;
if (of.has("fd")) {
  const [fd, data] = [Number(of.get("fd")), new Uint8Array(BYTES)];
  if (of.get("how") === "pointer") libc.point(fd, Deno.UnsafePointer.of(data), BigInt(BYTES));
  else libc.hold(fd, data, BigInt(BYTES));
  await later(100); // it waits for bytes
  (globalThis as unknown as { postMessage(text: string): void }).postMessage("reading");
} else {
  const ends = new Int32Array(2);
  if (libc.pipe(ends) !== 0) throw new Error("Cannot make a pipe");
  const how = Deno.args[0] ?? "buffer";
  const worker = new Worker(`${import.meta.url}?fd=${ends[0]}&how=${how}`, { type: "module" });
  await new Promise((reading) => worker.onmessage = reading);
  worker.terminate();
  await later(500); // its memory is freed, if it is
  libc.write(ends[1], new Uint8Array(1000), 1000n);
  const poll = new Int32Array([ends[0], POLLIN]);
  let left = 1;
  for (let i = 0; i < 100 && left; i++) {
    await later(20);
    left = libc.poll(poll, 1n, 0);
  }
  console.log(left ? "freed" : "held");
  Deno.exit(); // what reads by an address may wait for ever
}
