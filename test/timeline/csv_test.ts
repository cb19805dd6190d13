import { assertEquals, assertThrows } from "@std/assert";
import { fromCSV, toCSV } from "../../lib/timeline/table/csv.ts";
import { TIMELINE_COLUMNS } from "../../lib/timeline/table/columns.ts";
import { SchemoeError } from "../../lib/types.ts";
import { timelineOf } from "./fixture.ts";

const NAMES = [
  "",
  " ",
  '"',
  '""',
  ",",
  "a,b",
  'say "hi"',
  "line\nbreak",
  "line\r\nbreak",
  "carriage\rreturn",
  "tab\there",
  " leading",
  "trailing ",
  "null",
  "NaN",
  "0",
  "1e3",
  "true",
  "__proto__",
  "α→β 🚀",
  "=1+1",
  "#",
  "x".repeat(100_000),
  '"'.repeat(10_000),
];

Deno.test("fromCSV() gives back every name that toCSV() wrote, the empty one too", () => {
  const timeline = timelineOf(
    NAMES.map((name, i) => ({
      name,
      label: name,
      start: i,
      end: i + 0.1,
      chunk: i % 2 ? i : null,
    })),
  );
  const back = fromCSV(toCSV(timeline));
  assertEquals(back.objects({ limit: Infinity }), timeline.objects({ limit: Infinity }));
});

Deno.test("toCSV() writes null as an empty field and the empty text in quotes", () => {
  const timeline = timelineOf([{ name: "", start: 0, end: 1, chunk: null }]);
  const record = toCSV(timeline).split("\n")[1].split(",");
  assertEquals(record[TIMELINE_COLUMNS.indexOf("name")], '""');
  assertEquals(record[TIMELINE_COLUMNS.indexOf("chunk")], "");
  assertEquals(record[TIMELINE_COLUMNS.indexOf("deps")], "");
});

Deno.test("numbers go through CSV exactly", () => {
  const times = [
    0,
    -0,
    0.1 + 0.2,
    1e21,
    5e-324,
    1.7976931348623157e308,
    2 ** 53 + 2,
    NaN,
    Infinity,
    -1e-7,
  ];
  const timeline = timelineOf(times.map((end) => ({ start: 0, end })));
  const back = fromCSV(toCSV(timeline));
  times.forEach((time, row) => assertEquals(back.get("end_ns", row), time));
});

const header = TIMELINE_COLUMNS.join(",");
const record = "demo,forward,0,0,compute,expert,0,E[0],E,0,0,1500,0,0,0,";

Deno.test("fromCSV() reads what spreadsheets write", () => {
  const plain = fromCSV(`${header}\n${record}\n`).objects();
  assertEquals(plain.length, 1);
  const variants = [
    `\ufeff${header}\r\n${record}\r\n`,
    `${header}\n${record}`,
    `${header}\n${record}\n\n\n`,
    `${header}\n${record.split(",").map((field) => field && `"${field}"`).join(",")}\n`,
  ];
  for (const text of variants) assertEquals(fromCSV(text).objects(), plain);
});

Deno.test("fromCSV() keeps other columns, numbers where all of them are", () => {
  const text = `${header},note,power\n${record},"a, b",1.5\n${record},,\n`;
  const rows = fromCSV(text).objects() as Record<string, unknown>[];
  assertEquals(rows.map(({ note, power }) => [note, power]), [["a, b", 1.5], [null, null]]);
});

Deno.test("fromCSV() names line and value that it cannot read", () => {
  const wrong: [string, string][] = [
    [`${header}\n${record}\n${record},1\n`, "line 3 has 17 fields, the header has 16"],
    [
      `${header}\n"a\nb"${record.slice(4)}\n${record.replace("1500", "long")}\n`,
      'line 4 has "long" as "end_ns", not a number',
    ],
    [`${header}\n"${record}\n`, "line 2 has a quote that does not end"],
    [`${header}\n"demo"x${record.slice(4)}\n`, "or text beside quotes"],
    [`${header},run\n${record},1\n`, 'it has the column "run" twice'],
    ["a,b\n1,2\n", 'it has no column "run"'],
    ["  \n ", "give the text of a CSV file"],
  ];
  for (const [text, message] of wrong) assertThrows(() => fromCSV(text), SchemoeError, message);
});
