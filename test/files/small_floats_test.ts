import { assertEquals } from "@std/assert";
import { dtypes } from "../../lib/files/dtypes.ts";

const EIGHT_BITS = ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"] as const;
const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

for (const name of EIGHT_BITS) {
  Deno.test(`${name}: encode() gives back every code that decode() tells apart`, () => {
    const { decode, encode } = dtypes[name];
    const values = decode(codes.slice());
    const back = encode(values) as Uint8Array;
    for (const code of codes) {
      if (!Number.isNaN(values[code])) assertEquals(back[code], code);
      else assertEquals(Number.isNaN(decode(Uint8Array.of(back[code]))[0]), true);
    }
  });

  Deno.test(`${name}: encode() rounds to the nearest value, ties to the even code`, () => {
    const { decode, encode } = dtypes[name];
    const values = decode(codes.slice());
    // Neighbours of the same sign have neighbouring codes.
    for (let code = 0; code < 127; code++) {
      const [low, high] = [values[code], values[code + 1]];
      if (!Number.isFinite(low) || !Number.isFinite(high)) continue;
      const middle = low / 2 + high / 2; // exact in float32: all have few digits
      const [below, tie, above] = encode(
        Float32Array.of(low + (high - low) * 0.49, middle, low + (high - low) * 0.51),
      ) as Uint8Array;
      assertEquals([below, tie, above], [code, code % 2 === 0 ? code : code + 1, code + 1]);
    }
  });
}

/** Values that the specifications name. */
const NAMED: [typeof EIGHT_BITS[number], code: number, value: number][] = [
  ["F8_E4M3", 0x7e, 448],
  ["F8_E4M3", 0x08, 2 ** -6],
  ["F8_E4M3", 0x07, 0.875 * 2 ** -6],
  ["F8_E4M3", 0x01, 2 ** -9],
  ["F8_E4M3", 0x7f, NaN],
  ["F8_E4M3", 0xff, NaN],
  ["F8_E4M3", 0x80, -0],
  ["F8_E5M2", 0x7b, 57344],
  ["F8_E5M2", 0x04, 2 ** -14],
  ["F8_E5M2", 0x01, 2 ** -16],
  ["F8_E5M2", 0x7c, Infinity],
  ["F8_E5M2", 0xfc, -Infinity],
  ["F8_E5M2", 0x7d, NaN],
  ["F8_E4M3FNUZ", 0x7f, 240],
  ["F8_E4M3FNUZ", 0x01, 2 ** -10],
  ["F8_E4M3FNUZ", 0x80, NaN],
  ["F8_E5M2FNUZ", 0x7f, 57344],
  ["F8_E5M2FNUZ", 0x01, 2 ** -17],
  ["F8_E5M2FNUZ", 0x80, NaN],
  ["F8_E8M0", 0x00, 2 ** -127],
  ["F8_E8M0", 0x7f, 1],
  ["F8_E8M0", 0xfe, 2 ** 127],
  ["F8_E8M0", 0xff, NaN],
];

Deno.test("8-bit floats hold the values that their specifications name", () => {
  for (const [name, code, value] of NAMED) {
    assertEquals(dtypes[name].decode(Uint8Array.of(code))[0], value, `${name} ${code}`);
  }
});

Deno.test("8-bit floats beyond the largest value become infinity where there is one, else NaN", () => {
  const given = Float32Array.of(464, 465, -1e30, Infinity, 61439, 61440);
  const round = (name: typeof EIGHT_BITS[number]) => {
    const { decode, encode } = dtypes[name];
    return [...decode(new Uint8Array(encode(given) as Uint8Array))];
  };
  assertEquals(round("F8_E4M3"), [448, NaN, NaN, NaN, NaN, NaN]);
  assertEquals(round("F8_E5M2"), [448, 448, -Infinity, Infinity, 57344, Infinity]);
  assertEquals(round("F8_E4M3FNUZ"), [NaN, NaN, NaN, NaN, NaN, NaN]);
});
