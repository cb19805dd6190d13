/** Current clusters: eight GPUs on NVLink, a network card for each, a rail-optimised network. @module */
import { topology } from "../topology.ts";
import type { Testbed, TestbedSize } from "./types.ts";

/** A GPU with its links. */
interface Gpu {
  readonly name: string;
  /** NVLinks, and bytes a second of one of them. */
  readonly links: number;
  readonly linkRate: number;
  /** Bytes a second of its network card. */
  readonly cardRate: number;
  readonly flopRate: number;
  readonly byteRate: number;
  readonly sources: readonly string[];
}

/** Start-up times of a message; current cards have none published that was fitted message by message. */
const NVLINK_ALPHA = 0.3e-6;
const INFINIBAND_ALPHA = 2.6e-6;
/** Start of a kernel. */
const LAUNCH = 5e-6;

const START_UP = "start-up 0.3 us inside and 2.6 us between nodes: DGX-2 in TACCL (github " +
  "microsoft/taccl@426bd1e, examples/topo); a kernel starts in 5 us, assumed";
const nvlink = (links: number, rate: number, generation: string) =>
  `${links} NVLinks of ${rate} GB/s each way: ${generation}, what NCCL reckons with (src/graph/topo.h)`;
const CX7 = "48.5 of 50 GB/s each way for each GPU: ConnectX-7 at 400 Gb/s in SimAI (CX7_BW)";
const CX6 = "23.5 of 25 GB/s each way for each GPU: ConnectX-6 at 200 Gb/s in SimAI (CX6_BW)";
/** Part of the nominal bf16 rate that a large product reaches: 657 of 989 TFLOP/s on an H200. */
const REACHED = 657 / 989;
const scaled = (nominal: number) =>
  `bf16 ${
    Math.round(nominal * REACHED)
  } TFLOP/s: nominal ${nominal}, of which a warm H200 reaches 66 %`;

const GPUS: readonly Gpu[] = [
  {
    name: "a100-ib200",
    links: 12,
    linkRate: 20e9,
    cardRate: 23.5e9,
    flopRate: 312e12 * REACHED,
    byteRate: 2.039e12,
    sources: [
      nvlink(12, 20, "SM80"),
      CX6,
      scaled(312),
      "memory 2.04 TB/s: A100 80 GB, specification",
    ],
  },
  {
    name: "h100-ib400",
    links: 18,
    linkRate: 20.6e9,
    cardRate: 48.5e9,
    flopRate: 592e12,
    byteRate: 3.35e12,
    sources: [
      nvlink(18, 20.6, "SM90"),
      CX7,
      "bf16 592 TFLOP/s: grouped products of SonicMoE on an H100, 120B n 2048 (arXiv 2512.14080, figure 14)",
      "memory 3.35 TB/s: H100 SXM, specification",
    ],
  },
  {
    name: "h200-ib400",
    links: 18,
    linkRate: 20.6e9,
    cardRate: 48.5e9,
    flopRate: 657e12,
    byteRate: 4.23e12,
    sources: [
      nvlink(18, 20.6, "SM90"),
      CX7,
      "bf16 657 TFLOP/s, memory 4.23 TB/s: products and copies of torch 2.11 measured on a warm H200",
    ],
  },
  {
    name: "b200-ib400",
    links: 18,
    linkRate: 40.1e9,
    cardRate: 48.5e9,
    flopRate: 2250e12 * REACHED,
    byteRate: 8e12,
    sources: [
      nvlink(18, 40.1, "SM100"),
      CX7,
      scaled(2250),
      "memory 8 TB/s: B200, specification",
    ],
  },
];

const testbedOf = (gpu: Gpu) => ({ nodes = 4, ranksPerNode = 8 }: TestbedSize): Testbed => ({
  name: gpu.name,
  topology: topology({
    name: gpu.name,
    nodes,
    ranksPerNode,
    source: `${gpu.sources.join("; ")}; ${START_UP}`,
    intra: { alpha: NVLINK_ALPHA, beta: 1 / (gpu.links * gpu.linkRate) },
    inter: { alpha: INFINIBAND_ALPHA, beta: 1 / gpu.cardRate },
    // a rank's copy to itself reads and writes its memory
    local: { alpha: 0, beta: 2 / gpu.byteRate },
    processor: { alpha: LAUNCH, flopRate: gpu.flopRate, byteRate: gpu.byteRate },
  }),
  sources: [...gpu.sources, START_UP],
});

/** By name, of any size: nodes of eight by default. */
export const NVLINK: readonly (readonly [string, (size: TestbedSize) => Testbed])[] = GPUS.map(
  (gpu) => [gpu.name, testbedOf(gpu)],
);
