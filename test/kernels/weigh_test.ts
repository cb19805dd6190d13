import { assertEquals, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { elementsOf, weighRows } from "../../lib/kernels/mod.ts";

const matrix = (buffer: string, columns: number, stride = 4 * columns) => ({
  ...{ buffer, offset: 0, rows: 4, columns, ld: columns, groups: 2, stride },
});
const [d, rows, vector] = [matrix("d", 8), matrix("a", 8), { ...matrix("b", 8, 8), rows: 1 }];
const [weights, dots] = [matrix("w", 1), matrix("dw", 1)];

Deno.test("weighRows() takes rows, a vector, or the weights alone", () => {
  const none = { buffer: "", offset: 0 };
  const head = [0, 2, 4, 8, d, 8, 32];
  assertEquals(weighRows({ d, weights }).args, [...head, none, 0, 0, none, 0, weights, none, 4, 0]);
  assertEquals(
    weighRows({ d, rows, weights, dots }).args,
    [...head, rows, 8, 32, none, 0, weights, dots, 4, 0],
  );
  assertEquals(
    weighRows({ d, vector, weights, dots, add: true }).args,
    [...head, none, 0, 0, vector, 8, weights, dots, 4, 1],
  );
  assertEquals(elementsOf(weighRows({ d, weights })), 2 * 4 * 8);
});

Deno.test("weighRows() refuses what does not fit", () => {
  const refuse = (of: Parameters<typeof weighRows>[0], says: string) =>
    assertThrows(() => weighRows(of), SchemoeError, `Cannot weigh the rows of "d": ${says}`);
  const either = "give dots with rows or a vector, or neither";
  refuse({ d, weights, dots }, either);
  refuse({ d, weights, rows }, either);
  refuse({ d, weights, vector }, either);
  refuse({ d, weights, rows, vector, dots }, either);
  refuse({ d, weights, rows: matrix("a", 7), dots }, 'its rows have 8 columns, those of "a" 7');
  refuse({ d, weights, vector: matrix("b", 9), dots }, 'its rows have 8 columns, those of "b" 9');
  refuse({ d, weights: matrix("w", 2) }, '"w" must have one column');
  refuse({ d, rows, weights, dots: matrix("dw", 1, 6) }, 'groups of "dw" and "w"');
  const counted = { experts: 2, rows: 4, ranks: 1, rank: 0, room: 4 };
  assertThrows(
    () => weighRows({ d: { ...d, counted }, weights }),
    SchemoeError,
    'Cannot weigh rows: the groups of "d" and "w" have other rows',
  );
});
