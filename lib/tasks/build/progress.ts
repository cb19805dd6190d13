/** Progress of a build, from what make prints. @module */

/** Between two lines of a log. */
const BETWEEN_MS = 10_000;

/** A parsed line of make: a file being compiled, at this percentage. */
export function compiling(line: string): number | undefined {
  const percent = line.match(/^\[\s*(\d+)%\] Building \w+ object/)?.[1];
  return percent === undefined ? undefined : Number(percent);
}

/**
 * A reader of make's lines that tells what is being built, how long that usually takes, and how far it
 * is: on a terminal in one line, else in a line of its own every 10 s. Where nothing is compiled it says nothing.
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
  const since = (time: number) => `${Math.round((time - begun!) / 1000)} s`;
  return {
    line(line) {
      const percent = compiling(line);
      if (percent === undefined) return;
      const time = now();
      if (begun === undefined) {
        begun = told = time;
        write(`compiling ${what}: ${usually}\n`);
      }
      if (!terminal && time < told + BETWEEN_MS) return;
      told = time;
      write(terminal ? `\r  ${percent} %, ${since(time)} ` : `  ${percent} %, ${since(time)}\n`);
    },
    end() {
      if (begun !== undefined) write(`${terminal ? "\r" : ""}compiled in ${since(now())}   \n`);
    },
  };
}
