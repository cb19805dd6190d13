/** Clusters of publications, in which links and products were fitted. @module */
import { topology } from "../topology.ts";
import type { Testbed, TestbedSize } from "./types.ts";

/** Bytes of an element, by which both publications multiply m n k of a GEMM. */
const ELEMENT = 4;

/** Operations a second when a GEMM takes `beta` seconds for each m n k * 4. */
const flopRate = (beta: number) => 2 / (ELEMENT * beta);

/** Fits of PipeMoE's solver for 32 GPUs and of FSMoE's testbed B. */
const ALL_TO_ALL_32 = { alpha: 2.09e-4, beta: 3.55e-10 };
const GEMM_2080TI = { alpha: 1.5e-4, beta: 3.73e-14 };
const ALL_GATHER_4 = { alpha: 3.2e-5, beta: 1.68e-10 };

/** ScheMoE's own cluster. */
export const rtx2080ti = ({ nodes = 8, ranksPerNode = 4 }: TestbedSize): Testbed => ({
  name: "2080ti-ib100",
  topology: topology({
    name: "2080ti-ib100",
    nodes,
    ranksPerNode,
    source: "fits of PipeMoE and FSMoE for ScheMoE's testbed",
    // three messages inside the node in the start-up time of its all-gather
    intra: { alpha: ALL_GATHER_4.alpha / 3, beta: ALL_GATHER_4.beta },
    // time of the all-to-all of 8 x 4 beyond its 3 messages and 4 slices inside the node
    inter: {
      alpha: (ALL_TO_ALL_32.alpha - ALL_GATHER_4.alpha) / 28,
      beta: (ALL_TO_ALL_32.beta - ALL_GATHER_4.beta * 4 / 32) * 32 / 28,
    },
    processor: {
      alpha: GEMM_2080TI.alpha,
      flopRate: flopRate(GEMM_2080TI.beta),
      byteRate: 352 / 8 * 14e9,
    },
  }),
  sources: [
    "8 nodes x 4 RTX 2080 Ti, PCIe 3.0 x16, 100 Gb/s InfiniBand: the testbed of ScheMoE (EuroSys'24)",
    "linear all-to-all of 32 GPUs 209 us + 0.355 ns/byte, GEMM 150 us + 37.3 fs for each m n k * 4: " +
    "PipeMoE's solver (github Fragile-azalea/PipeMoE@2341c389)",
    "inside a node 32 us + 0.168 ns/byte: all-gather of FSMoE's testbed B (arXiv 2501.10714, figure 5)",
    "memory 616 GB/s: 352 bits at 14 Gb/s, the card's specification",
  ],
});

/** Links of a DGX-2 and the GEMM of an A6000. */
export const dgx2 = ({ nodes = 2, ranksPerNode = 16 }: TestbedSize): Testbed => ({
  name: "dgx2-ib",
  topology: topology({
    name: "dgx2-ib",
    nodes,
    ranksPerNode,
    source: "links of TACCL's DGX-2, GEMM of FSMoE's A6000",
    intra: { alpha: 0.3e-6, beta: 8e-12 },
    inter: { alpha: 2.6e-6, beta: 1.05e-10 },
    processor: { alpha: 4.26e-5, flopRate: flopRate(2.29e-14), byteRate: 768e9 },
  }),
  sources: [
    "NVSwitch 0.3 us + 8 us/MB, InfiniBand 2.6 us + 105 us/MB a pair of GPUs: DGX-2 in TACCL " +
    "(github microsoft/taccl@426bd1e, examples/topo)",
    "GEMM 42.6 us + 22.9 fs for each m n k * 4: RTX A6000 of FSMoE's testbed A (arXiv 2501.10714, figure 5)",
    "memory 768 GB/s: 384 bits at 16 Gb/s, the A6000's specification",
  ],
});
