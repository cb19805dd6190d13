import { assertAlmostEquals, assertEquals } from "@std/assert";
import { busySeconds } from "../../lib/adaptive/busy.ts";
import { uniforms } from "../../lib/random.ts";

Deno.test("busySeconds() gives one that runs alone all of its time, and divides the time of several by their pace", () => {
  assertEquals(busySeconds([{ begun: 1, end: 3, alone: 1 }, { begun: 5, end: 6 }]), [2, 1]);
  // two alike, then one that mostly waited behind the other
  assertEquals(busySeconds([{ begun: 0, end: 4, alone: 2 }, { begun: 0, end: 4, alone: 2 }]), [
    2,
    2,
  ]);
  const [long, short] = busySeconds([{ begun: 0, end: 4, alone: 4 }, {
    begun: 0,
    end: 4,
    alone: 1,
  }]);
  assertEquals([long, short], [3.2, 0.8]);
  assertEquals(busySeconds([]), []);
});

Deno.test("busySeconds() of all together is the time that they cover", () => {
  const uniform = uniforms(4);
  for (let i = 0; i < 50; i++) {
    const operations = Array.from({ length: 1 + i % 9 }, () => {
      const begun = 10 * uniform();
      const end = begun + 0.1 + 3 * uniform();
      return { begun, end, ...(uniform() < 0.7 ? { alone: 2 * uniform() + 0.01 } : {}) };
    });
    const times = operations.flatMap(({ begun, end }) => [begun, end]).toSorted((a, b) => a - b);
    const covered = times.slice(1).reduce((sum, time, j) => {
      const middle = (time + times[j]) / 2;
      const some = operations.some(({ begun, end }) => begun < middle && middle < end);
      return sum + (some ? time - times[j] : 0);
    }, 0);
    assertAlmostEquals(busySeconds(operations).reduce((a, b) => a + b, 0), covered, 1e-9);
  }
});
