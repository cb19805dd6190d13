/** The GPUs of ranks as `--gpus N` or `--devices LIST` say them. @module */
import { SchemoeError } from "../../types.ts";
import { positive } from "../build/command.ts";

/** GPUs that a command line asks for. */
export interface DevicesOption {
  /** Ranks in blocks over the first so many. */
  readonly gpus?: number;
  /** The GPU of each rank. */
  readonly devices?: readonly number[];
}

/**
 * The texts of both options, read.
 * @throws {SchemoeError} naming the option that is malformed, or when both are given.
 */
export function parseDevices(texts: { gpus?: string; devices?: string }): DevicesOption {
  const { gpus, devices } = texts;
  if (gpus !== undefined && devices !== undefined) {
    throw new SchemoeError("Give --gpus or --devices, not both");
  }
  if (devices !== undefined) return { devices: listOf(devices) };
  return gpus === undefined ? {} : { gpus: positive("gpus", gpus) };
}

function listOf(text: string): number[] {
  return text.split(",").map((part, rank) => {
    if (/^\d{1,4}$/.test(part)) return Number(part);
    throw new SchemoeError(
      `--devices must be numbers of GPUs such as 0,1, got "${text}": "${part}" for rank ${rank}`,
    );
  });
}

/**
 * The GPU of each of so many ranks; undefined where nothing was said.
 * @throws {SchemoeError} when the ranks do not fit what was asked for.
 */
export function devicesOf({ gpus, devices }: DevicesOption, ranks: number): number[] | undefined {
  if (devices) {
    if (devices.length === ranks) return [...devices];
    throw new SchemoeError(
      `--devices ${devices.join()} names GPUs for ${devices.length} ranks, and there are ${ranks}`,
    );
  }
  if (gpus === undefined) return undefined;
  if (gpus > ranks) throw new SchemoeError(`--gpus ${gpus} are more than the ${ranks} ranks`);
  return Array.from({ length: ranks }, (_, rank) => Math.floor((rank * gpus) / ranks));
}
