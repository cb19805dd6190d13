/** The secret of a session: who presents it may join. @module */
import { SchemoeError } from "../types.ts";

const BYTES = 32;
const LEAST_LENGTH = 16;

/** A random token: 64 hexadecimal digits. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @throws {SchemoeError} for a token that could be guessed, or none. */
export function checkToken(token: string | undefined): string {
  if (token !== undefined && token.length >= LEAST_LENGTH) return token;
  throw new SchemoeError(
    `Cannot join processes without a secret: set SCHEMOE_TOKEN to the same random text of at least ` +
      `${LEAST_LENGTH} characters in all of them, such as the output of: openssl rand -hex 32`,
  );
}

/** Whether two tokens are equal, in a time that does not tell where they differ. */
export async function sameToken(a: string, b: string): Promise<boolean> {
  // Digests have one length, so that not even the length of the secret shows.
  const [x, y] = await Promise.all([digest(a), digest(b)]);
  return x.reduce((difference, byte, i) => difference | (byte ^ y[i]), 0) === 0;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
