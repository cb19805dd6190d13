import { assert, assertEquals } from "@std/assert";
import { ACTIVATIONS, typeCode } from "../../lib/kernels/mod.ts";
import { gluCode } from "../../lib/kernels/linear.ts";
import { ENGINE_KINDS, FLAGS } from "../../lib/native/engine.ts";
import { FAILURE } from "../../lib/native/failure.ts";
import { describeLibrary } from "../../lib/native/library.ts";
import { Status } from "../../lib/native/status.ts";
import { CHECK_NUMBERS, COMMUNICATION, MAGIC } from "../../lib/program/pack.ts";
import { LANES } from "../../lib/types.ts";
import { HOST_OFFSET, PROCESS_BYTES } from "../../lib/workers/part.ts";

const { enums, structs } = describeLibrary();

/** `outOfMemory` as `SCHEMOE_OUT_OF_MEMORY`. */
const native = (name: string, prefix = "") =>
  `SCHEMOE_${prefix}${name.replaceAll(/[A-Z]/g, (c) => `_${c}`).toUpperCase()}`;
const renamed = (numbers: Readonly<Record<string, number>>, prefix = "") =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [native(name, prefix), value]));

Deno.test("describeLibrary() reports every number of every enum of the header", async () => {
  const header = await Deno.readTextFile(
    new URL("../../native/include/schemoe.h", import.meta.url),
  );
  const text = header.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const found = [...text.matchAll(/typedef enum (\w+) \{([^}]*)\}/g)];
  assert(found.length >= 7);
  const { constants: _, ...reported } = enums;
  assertEquals(
    reported,
    Object.fromEntries(found.map(([, name, body]) => [
      name,
      Object.fromEntries(
        body.split(",").map((part) => part.split("=").map((side) => side.trim()))
          .map(([key, value]) => [key, Number(value)]),
      ),
    ])),
  );
});

Deno.test("TypeScript has the numbers of the library's enums", () => {
  assertEquals(renamed(Status), enums.schemoe_status);
  assertEquals(renamed(ENGINE_KINDS), enums.schemoe_engine_kind);
  const { tf32, ...others } = FLAGS;
  assertEquals({ SCHEMOE_TF32: tf32, ...renamed(others) }, enums.schemoe_flag);
  assertEquals(
    { SCHEMOE_COMMUNICATION: COMMUNICATION, SCHEMOE_CHECK_NUMBERS: CHECK_NUMBERS },
    enums.schemoe_operation_flag,
  );
  assertEquals(
    renamed(Object.fromEntries(LANES.map((lane, i) => [lane, i]))),
    enums.schemoe_lane,
  );
  assertEquals(
    { SCHEMOE_F32: typeCode("float32"), SCHEMOE_BF16: typeCode("bfloat16") },
    enums.schemoe_dtype,
  );
  const { SCHEMOE_CLAMPED_SWIGLU: clamped, SCHEMOE_LIMITED_SWIGLU: limited, ...activations } =
    enums.schemoe_activation;
  assertEquals(renamed(ACTIVATIONS), activations);
  // activations of two factors, which only glu takes
  assertEquals(gluCode("clampedSwiglu"), clamped);
  assertEquals(gluCode("limitedSwiglu"), limited);
  assertEquals(enums.constants.SCHEMOE_PROGRAM_MAGIC, MAGIC);
});

Deno.test("TypeScript reads and writes structs where the library has them", () => {
  assertEquals(structs.schemoe_failure, FAILURE);
  assertEquals(structs.schemoe_config.members.flags, 16);
  assertEquals(structs.schemoe_process, {
    size: PROCESS_BYTES,
    members: { first_rank: 0, ranks: 4, port: 8, pid: 12, host: HOST_OFFSET },
  });
});
