/** Progress of a build, from what make prints. @module */

/** A parsed line of make: a file being compiled, at this percentage. */
export function compiling(line: string): number | undefined {
  const percent = line.match(/^\[\s*(\d+)%\] Building \w+ object/)?.[1];
  return percent === undefined ? undefined : Number(percent);
}

/**
 * A reader of make's lines that tells what is being built, how long that usually takes, and how far it
 * is: on a terminal in one line, else at each quarter. Where nothing is compiled it says nothing.
 */
export function tellProgress(
  { what, usually, write, terminal, now = () => performance.now() }: {
    /** Such as `the native library (OpenBLAS, threads)`. */
    what: string;
    /** Such as `about 90 s on two cores, once`. */
    usually: string;
    write: (text: string) => void;
    terminal: boolean;
    now?: () => number;
  },
): { line(line: string): void; end(): void } {
  let begun: number | undefined;
  let told = 0;
  const seconds = () => `${Math.round((now() - begun!) / 1000)} s`;
  return {
    line(line) {
      const percent = compiling(line);
      if (percent === undefined) return;
      if (begun === undefined) {
        begun = now();
        write(`compiling ${what}: ${usually}\n`);
      }
      if (terminal) write(`\r  ${percent} %, ${seconds()} `);
      else if (percent >= told + 25) write(`  ${told = percent - percent % 25} %, ${seconds()}\n`);
    },
    end() {
      if (begun !== undefined) write(`${terminal ? "\r" : ""}compiled in ${seconds()}   \n`);
    },
  };
}
