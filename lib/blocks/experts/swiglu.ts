/** The gated feed-forward expert of Llama. @module */
import type { Expert } from "./types.ts";
import { gated } from "./gated.ts";

/**
 * `(silu(x @ w1) * (x @ w3)) @ w2` with w1, w3 [M, H] and w2 [H, M] (Shazeer, "GLU variants improve
 * transformer", arXiv 2002.05202).
 */
export const swiglu = (): Expert => gated({ name: "swiglu", combine: "silu", bias: false });
