import { assertEquals } from "@std/assert";
import { countJunit } from "../../lib/tasks/build/junit.ts";

const cases: Record<
  string,
  { xml?: string; status: number; passed: number; failed: number; skipped?: string[] }
> = {
  "passed, failed and skipped tests of Deno": {
    xml: `<testsuites><testsuite tests="4">
      <testcase name="a &gt; b"></testcase>
      <testcase name="c"><failure message="x">&lt;testcase</failure></testcase>
      <testcase name="d"><skipped/></testcase>
      <testcase name="e"/>
    </testsuite></testsuites>`,
    status: 1,
    passed: 2,
    failed: 1,
    skipped: ["d"],
  },
  "tests of CTest": {
    xml: `<testsuite tests="2"><testcase name="a" status="run"><system-out>failure</system-out>
      </testcase><testcase name="b" status="fail"><failure message=""/></testcase></testsuite>`,
    status: 8,
    passed: 1,
    failed: 1,
  },
  "native tests that were not built as failures": {
    xml:
      `<testsuite><testcase name="a" status="notrun"><skipped message="Unable to find executable"/>
      </testcase></testsuite>`,
    status: 8,
    passed: 0,
    failed: 1,
  },
  "native tests that skip themselves as skipped": {
    xml: `<testsuite><testcase name="a" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
      </testcase><testcase name="b" status="run"/></testsuite>`,
    status: 0,
    passed: 1,
    failed: 0,
    skipped: ["a"],
  },
  "a module that does not load as a failure": {
    xml: `<testsuite><testcase name="a"></testcase></testsuite>`,
    status: 1,
    passed: 1,
    failed: 1,
  },
  "no report as a failure": { status: 1, passed: 0, failed: 1 },
  "nothing when nothing ran": { status: 0, passed: 0, failed: 0 },
};

for (const [name, { xml, status, ...counts }] of Object.entries(cases)) {
  Deno.test(`countJunit() counts ${name}`, async () => {
    const path = await Deno.makeTempFile();
    if (xml === undefined) await Deno.remove(path);
    else await Deno.writeTextFile(path, xml);
    assertEquals(await countJunit(path, status), { skipped: [], ...counts });
    if (xml !== undefined) await Deno.remove(path);
  });
}
