/** The secret of a session: who knows it may join. @module */
import { SchemoeError } from "../types.ts";
import { hex } from "./hex.ts";

const BYTES = 32;
const LEAST_LENGTH = 16;

/** A random token: 64 hexadecimal digits. */
export function newToken(): string {
  return hex(crypto.getRandomValues(new Uint8Array(BYTES)));
}

/** @throws {SchemoeError} for a token that could be guessed, or none. */
export function checkToken(token: string | undefined): string {
  if (token !== undefined && token.length >= LEAST_LENGTH) return token;
  throw new SchemoeError(
    `Cannot join processes without a secret: set SCHEMOE_TOKEN to the same random text of at least ` +
      `${LEAST_LENGTH} characters in all of them, such as the output of: openssl rand -hex 32`,
  );
}
