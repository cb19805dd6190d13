import type { Counts } from "./counts.ts";

/**
 * Counts a JUnit report. A suite that ended badly without a failed test (a module that does not
 * load, a crash) or without a report counts as one failure.
 */
export async function countJunit(path: string, status: number): Promise<Counts> {
  const xml = await Deno.readTextFile(path).catch(() => "");
  const cases = xml.match(/<testcase\b[^>]*\/>|<testcase\b[^]*?<\/testcase>/g) ?? [];
  // Not run, and not because it skipped itself: a program that is not there.
  const bad = /<(failure|error)\b|^[^>]*status="notrun"(?![^]*message="SKIP_RETURN_CODE)/;
  const failed = cases.filter((text) => bad.test(text)).length;
  const skipped = cases.filter((text) => !bad.test(text) && /<skipped\b/.test(text)).map(nameOf);
  return {
    passed: cases.length - failed - skipped.length,
    failed: status !== 0 && failed === 0 ? 1 : failed,
    skipped,
  };
}

/** `file: test`, where the report names a file. */
function nameOf(testcase: string): string {
  const attribute = (name: string) =>
    new RegExp(`^<testcase\\b[^>]*?\\b${name}="([^"]*)"`).exec(testcase)?.[1];
  const [file, name] = [attribute("classname"), attribute("name") ?? "a test without a name"];
  const text = file && file !== name ? `${file}: ${name}` : name;
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity) => ENTITIES[entity]);
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
