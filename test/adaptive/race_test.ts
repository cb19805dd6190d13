import { assert, assertEquals } from "@std/assert";
import { race } from "../../lib/adaptive/race.ts";
import { median } from "../../lib/profile/mod.ts";
import { uniforms } from "../../lib/random.ts";

/** Candidates of these seconds on a machine that the number of the run makes slower. */
function machine(slower: (run: number, candidate: number) => number, most = Infinity) {
  let runs = 0;
  return {
    run: (seconds: number) => Promise.resolve(seconds * slower(runs++, seconds)),
    left: () => most - runs,
    get runs() {
      return runs;
    },
  };
}

Deno.test("race() finds the best through scatter of a factor of two, within its budget", async () => {
  let off = 0;
  for (let seed = 0; seed < 40; seed++) {
    const uniform = uniforms(seed);
    const seconds = Array.from({ length: 30 }, (_, i) => 1 + 0.1 * (i * 7 % 30));
    // mostly a little late, now and then by a factor of two
    const busy = machine(() => uniform() < 0.1 ? 2 : 1 + 0.05 * uniform(), 400);
    const { best, measured } = await race(seconds, busy.run, { repeats: 15, left: busy.left });
    assert(busy.runs <= 400, `${busy.runs}`);
    assert(measured[best].length >= 2, `${measured[best]}`);
    off = Math.max(off, seconds[best] - 1);
  }
  assert(off < 0.15, `the choice takes ${off} more than the best`);
});

Deno.test("race() compares within rounds: what dropped out while the machine was fast is not the best", async () => {
  let slowed = 0;
  for (let seed = 0; seed < 20; seed++) {
    const uniform = uniforms(seed);
    // two rounds, then everything takes twice as long
    const busy = machine((run) => (run < 6 ? 1 : 2) * (1 + 0.2 * uniform()));
    const { best, measured } = await race([1.3, 1, 1.005], busy.run, {
      repeats: 15,
      left: busy.left,
    });
    assert(best !== 0, `${measured[0]} and ${measured[best]}`);
    slowed += Number(median(measured[0]) < median(measured[best]));
  }
  assert(slowed > 5, "the machine hardly became slower");
});

Deno.test("race() lets no more in than the budget tells apart, and leaves the last round out if it is not whole", async () => {
  const steady = machine(() => 1, 8);
  const { measured } = await race([4, 3, 2, 1, 5, 6], steady.run, {
    repeats: 5,
    left: steady.left,
  });
  assertEquals(measured.map((list) => list.length > 0), [true, true, true, true]);
  assert(steady.runs <= 8);
  const cut = machine(() => 1, 9);
  const three = await race([1, 1.02, 1.04, 1.06], cut.run, { repeats: 3, left: cut.left });
  const lengths = new Set(three.measured.map((list) => list.length));
  assert(lengths.size <= 2 && three.best === 0, `${[...lengths]}`);
});

Deno.test("race() ends where those that are left are alike, or one is", async () => {
  const steady = machine(() => 1);
  await race([1, 1.001, 1.002, 2], steady.run, { repeats: 100, left: steady.left });
  assertEquals(steady.runs, 4 + 4, "in a world without scatter two rounds tell all");
  const uniform = uniforms(3);
  const busy = machine(() => 1 + 0.004 * uniform());
  const { measured } = await race([1, 1, 2], busy.run, { repeats: 100, left: busy.left });
  assertEquals(measured.map(({ length }) => length), [3, 3, 2]);
  const once = machine(() => 1);
  await race([3, 2, 1], once.run, { repeats: 1, left: once.left });
  assertEquals(once.runs, 3);
});
