/** The result of a study of codecs. @module */
import { type PngOptions, svgToPng } from "../../timeline/chart/png.ts";
import { displayable, type MediaBundle } from "../../timeline/chart/display.ts";
import { accuracySvg, paretoFront } from "./chart.ts";
import type { CodecStudyRow } from "./row.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** Rows of a study of codecs. As a cell's last value they show their picture and their table. */
export class CodecStudy extends Array<CodecStudyRow> {
  /** What the layer was, in words. */
  facts: readonly string[] = [];

  /** What is made of it is a plain array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** Codecs that no other one beats in both time and error of the output, the fastest first. */
  get front(): CodecStudyRow[] {
    return paretoFront(this);
  }

  /**
   * A line for each codec: bits a value on the wire; root mean square error of the output, of its worst row, and
   * cosine with the right output; error of the gradient of the input and of the worst of all gradients; rates of
   * encoding and decoding; time of both passes. Errors are relative.
   */
  get text(): string {
    const width = Math.max(...this.map(({ codec }) => codec.length), "codec".length);
    const line = (name: string, ...cells: readonly string[]) =>
      [name.padEnd(width), ...cells.map((cell) => cell.padStart(10))].join(" ");
    const short = (value: number | undefined) => value === undefined ? "-" : value.toPrecision(3);
    const heads = ["bits", "rmse", "worst row", "cosine", "dx rmse", "worst grad"];
    return [
      line("codec", ...heads, "enc GB/s", "dec GB/s", "ms"),
      ...this.map(({ codec, bits, output, gradients, encodeRate, decodeRate, makespan }) =>
        line(
          codec,
          `${Number(bits.toFixed(3))}`,
          ...[output.rmse, output.worstRow].map(short),
          output.cosine.toFixed(6),
          short(gradients.x?.rmse),
          short(worstOf(gradients)),
          ...[encodeRate, decodeRate].map(short),
          (1e3 * makespan).toFixed(2),
        )
      ),
    ].join("\n");
  }

  /** SVG text: error of the output over the time of both passes. */
  svg(): Promise<string> {
    return accuracySvg(this, this.facts);
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg(), options);
  }

  /** The same text. */
  override toString(): string {
    return this.text;
  }

  /** Shows text and picture in a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    return await displayable({ text: this.text, svg: await this.svg() })[DISPLAY]();
  }
}

/** The largest error of a gradient; undefined where there is none. */
function worstOf(gradients: CodecStudyRow["gradients"]): number | undefined {
  const errors = Object.values(gradients).map(({ rmse }) => rmse);
  return errors.length === 0 ? undefined : Math.max(...errors);
}
