/**
 * How two processes show each other that they know the token, which itself is never sent: each answers
 * the other's random challenge with HMAC-SHA256 (RFC 2104) of both challenges and of what it says.
 * @module
 */
import { hex } from "./hex.ts";

const NONCE_BYTES = 32;
const encoder = new TextEncoder();

/** A random challenge: 64 hexadecimal digits. */
export function newNonce(): string {
  return hex(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}

/** Whether it is a challenge as {@linkcode newNonce} makes them. */
export function isNonce(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** Makes and checks the proofs of one greeting. */
export class Prover {
  readonly #key: Promise<CryptoKey>;

  constructor(token: string) {
    this.#key = crypto.subtle.importKey(
      "raw",
      encoder.encode(token),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign", "verify"],
    );
  }

  /** Says `statement` as `speaker`, so that no proof serves for another statement or the other side. */
  async prove(speaker: string, statement: readonly unknown[]): Promise<string> {
    return hex(await this.digest(speaker, statement));
  }

  /** The bytes of the proof: 32. */
  async digest(
    speaker: string,
    statement: readonly unknown[],
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = message(speaker, statement);
    return new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, bytes));
  }

  /** Whether it is that speaker's proof, in a time that does not tell where they differ. */
  async proves(proof: unknown, speaker: string, statement: readonly unknown[]): Promise<boolean> {
    if (!isNonce(proof)) return false;
    const bytes = Uint8Array.from(proof.match(/../g)!, (pair) => parseInt(pair, 16));
    return await crypto.subtle.verify("HMAC", await this.#key, bytes, message(speaker, statement));
  }
}

/** What native engines prove to each other that they know: the token, and the challenge of one engine. */
export function engineKey(prover: Prover, nonce: string): Promise<Uint8Array<ArrayBuffer>> {
  return prover.digest("engine", [nonce]);
}

function message(speaker: string, statement: readonly unknown[]): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(["schemoe", speaker, ...statement]));
}
