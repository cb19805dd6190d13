/** Options that a layer had once, and how they are spelled now. @module */
import { quoted } from "../words.ts";

/** Where an option is now: a field of the layer, and what is written in it. */
interface Moved {
  readonly field: "gate" | "routing" | "losses" | "expert";
  readonly option: (value: unknown) => string;
}

const MOVED: Readonly<Record<string, Moved>> = {
  topK: { field: "gate", option: (value) => `k: ${value}` },
  normalizeGate: { field: "gate", option: (value) => `normalize: ${value}` },
  prescore: { field: "gate", option: (value) => `weighs: "${value ? "input" : "output"}"` },
  capacityFactor: { field: "routing", option: (value) => `capacityFactor: ${value}` },
  capacityAlignment: { field: "routing", option: (value) => `capacityAlignment: ${value}` },
  dropless: { field: "routing", option: (value) => `dropless: ${value}` },
  priority: { field: "routing", option: (value) => `priority: ${quoted(value)}` },
  batchPrioritized: {
    field: "routing",
    option: (value) => `priority: "${value ? "scores" : "tokens"}"`,
  },
  activation: { field: "expert", option: (value) => `activation: ${quoted(value)}` },
  bias: { field: "expert", option: (value) => `bias: ${value}` },
  auxWeight: { field: "losses", option: (value) => `weight: ${value}` },
};

const WRITTEN: Readonly<Record<Moved["field"], (options: readonly string[]) => string>> = {
  // a gate needs its number of choices
  gate: (options) =>
    `topK({ ${
      [...(options.some((one) => one.startsWith("k:")) ? [] : ["k"]), ...options].join(", ")
    } })`,
  routing: (options) => `{ ${options.join(", ")} }`,
  losses: (options) => `[gshard({ ${options.join(", ")} })]`,
  expert: (options) => `ffn({ ${options.join(", ")} })`,
};

/** What to write instead of all former options of a configuration; undefined where it has none. */
export function movedOptions(config: object): string | undefined {
  const old = Object.entries(config).filter(([key]) => Object.hasOwn(MOVED, key));
  if (old.length === 0) return undefined;
  const fields = new Map<Moved["field"], string[]>();
  for (const [key, value] of old) {
    const { field, option } = MOVED[key];
    fields.set(field, [...fields.get(field) ?? [], option(value)]);
  }
  const now = [...fields].map(([field, options]) => `${field}: ${WRITTEN[field](options)}`);
  const before = old.map(([key, value]) => `${key}: ${quoted(value)}`);
  const where = fields.has("losses") ? " (gshard is in @schemoe/lab/blocks)" : "";
  return `write ${now.join(", ")} instead of ${before.join(", ")}${where}`;
}
