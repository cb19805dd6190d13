/** The models. @module */
import type { ModelRouter, ModelSpec } from "./spec.ts";

const QWEN3: ModelRouter = { scores: "softmax" };
const QWEN3_SOURCE = "transformers qwen3_moe; loss: arXiv 2505.09388, section 2";
const GPT_OSS: ModelRouter = { scores: "softmaxOfChosen", bias: true };
const GPT_OSS_SOURCE = "transformers gpt_oss; loss: router_aux_loss_coef 0.9, once for each choice";
const MIXTRAL: ModelRouter = { scores: "softmaxOfChosen" };

/** Models with the sizes of a layer, its router, and the groups that their reports or published recipes use. */
export const MODELS: readonly ModelSpec[] = [
  {
    ...{ name: "mixtral-8x7b", layers: 32, modelDim: 4096, hiddenDim: 14336, experts: 8, topK: 2 },
    ...{ router: MIXTRAL, losses: { switch: 0.04 }, expertParallel: 8 },
    sources: {
      sizes: "arXiv 2401.04088, table 1",
      router: "transformers mixtral; loss: router_aux_loss_coef 0.02, once for each choice",
      groups: "Megatron-Core's recipe: 8 ranks",
    },
  },
  {
    ...{ name: "mixtral-8x22b", layers: 56, modelDim: 6144, hiddenDim: 16384, experts: 8, topK: 2 },
    ...{ router: MIXTRAL, losses: { switch: 0.002 }, expertParallel: 8 },
    sources: {
      sizes: "config.json of mistralai/Mixtral-8x22B-v0.1",
      router: "transformers mixtral; loss: router_aux_loss_coef 0.001, once for each choice",
      groups: "Megatron-Core's recipe: 8 ranks",
    },
  },
  {
    ...{ name: "qwen3-30b-a3b", layers: 48, modelDim: 2048, hiddenDim: 768, experts: 128, topK: 8 },
    ...{ router: QWEN3, losses: { globalBatch: 0.001 }, expertParallel: 16 },
    sources: {
      sizes: "config.json of Qwen/Qwen3-30B-A3B",
      router: QWEN3_SOURCE,
      groups: "Megatron-Bridge on 16 H100: 16 ranks",
    },
  },
  {
    ...{ name: "qwen3-235b-a22b", layers: 94, modelDim: 4096, hiddenDim: 1536, experts: 128 },
    ...{ topK: 8, router: QWEN3, losses: { globalBatch: 0.001 }, expertParallel: 32 },
    sources: {
      sizes: "config.json of Qwen/Qwen3-235B-A22B",
      router: QWEN3_SOURCE,
      groups: "Megatron-Bridge on 256 H100: 32 ranks",
    },
  },
  {
    ...{ name: "qwen3-next", layers: 48, modelDim: 2048, hiddenDim: 512, experts: 512, topK: 10 },
    ...{ router: QWEN3, losses: { globalBatch: 0.001 }, expertParallel: 8 },
    shared: { hiddenDim: 512, gate: "sigmoid" },
    sources: {
      sizes: "config.json of Qwen/Qwen3-Next-80B-A3B-Instruct",
      router: "transformers qwen3_next",
      groups: "Megatron-Bridge's recipe for 32 H100: 8 ranks",
    },
  },
  {
    ...{ name: "gpt-oss-20b", layers: 24, modelDim: 2880, hiddenDim: 2880, experts: 32, topK: 4 },
    ...{ router: GPT_OSS, expert: "clamped", losses: { switch: 3.6 }, expertParallel: 4 },
    sources: {
      sizes: "config.json of openai/gpt-oss-20b",
      router: GPT_OSS_SOURCE,
      groups: "Megatron-Bridge's recipe for 16 H100: 4 ranks",
    },
  },
  {
    ...{ name: "gpt-oss-120b", layers: 36, modelDim: 2880, hiddenDim: 2880, experts: 128, topK: 4 },
    ...{ router: GPT_OSS, expert: "clamped", losses: { switch: 3.6 }, expertParallel: 8 },
    sources: {
      sizes: "config.json of openai/gpt-oss-120b",
      router: GPT_OSS_SOURCE,
      groups: "Megatron-Bridge on 64 H100: 8 ranks",
    },
  },
  {
    ...{ name: "deepseek-v3", layers: 58, modelDim: 7168, hiddenDim: 2048, experts: 256, topK: 8 },
    router: { scores: "sigmoid", biasRate: 1e-3, groups: 8, groupLimit: 4, scale: 2.5 },
    ...{ shared: { hiddenDim: 2048 }, losses: { sequence: 1e-4 }, expertParallel: 64 },
    sources: {
      sizes: "arXiv 2412.19437, section 4.2",
      router: "the same, sections 2.1.2 and 4.2; transformers deepseek_v3",
      groups: "the same, section 3.2: 64 ranks over 8 nodes",
    },
  },
  {
    ...{ name: "deepseek-v4-flash", layers: 43, modelDim: 4096, hiddenDim: 2048, experts: 256 },
    topK: 6,
    router: {
      ...{ scores: "sqrtSoftplus", biasRate: 1e-3, scale: 1.5 },
      hash: { layers: 3, vocabulary: 129280 },
    },
    expert: "limited",
    ...{ shared: { hiddenDim: 2048 }, losses: { sequence: 1e-4 }, expertParallel: 8 },
    sources: {
      sizes: "config.json of deepseek-ai/DeepSeek-V4-Flash-Base",
      router: "transformers deepseek_v4; rate and loss assumed as of DeepSeek-V3",
      groups: "Megatron-Bridge's recipe for 32 H100: 8 ranks; 64 on 128 GB200",
    },
  },
  {
    ...{ name: "glm-4.5", layers: 89, modelDim: 5120, hiddenDim: 1536, experts: 160, topK: 8 },
    router: { scores: "sigmoid", biasRate: 1e-3, scale: 2.5 },
    ...{ shared: { hiddenDim: 1536 }, losses: { sequence: 1e-4 }, expertParallel: 16 },
    sources: {
      sizes: "config.json of zai-org/GLM-4.5",
      router: "transformers glm4_moe; rate and loss: arXiv 2508.06471, section 2",
      groups: "Megatron-Bridge's recipe for 128 H100: 16 ranks",
    },
  },
  {
    ...{ name: "kimi-k2", layers: 60, modelDim: 7168, hiddenDim: 2048, experts: 384, topK: 8 },
    router: { scores: "sigmoid", biasRate: 1e-3, scale: 2.827 },
    ...{ shared: { hiddenDim: 2048 }, losses: { sequence: 1e-4 }, expertParallel: 16 },
    sources: {
      sizes: "arXiv 2507.20534, table 2",
      router: "config.json of moonshotai/Kimi-K2-Base; rate and loss assumed as of DeepSeek-V3",
      groups: "the same report, section 2.4: 16 ranks",
    },
  },
  {
    ...{ name: "llama-4-maverick", layers: 24, modelDim: 5120, hiddenDim: 8192, experts: 128 },
    topK: 1,
    router: { scores: "sigmoid", normalize: false, weighs: "input" },
    ...{ shared: { hiddenDim: 8192 }, losses: {}, expertParallel: 128 },
    sources: {
      sizes: "config.json of meta-llama/Llama-4-Maverick-17B-128E: every second of 48 layers",
      router: "transformers llama4",
      groups: "NeMo on 512 H100: 128 ranks",
    },
    differs: "its group cuts each expert over 4 ranks too",
  },
  {
    ...{ name: "ernie-4.5", layers: 27, modelDim: 2560, hiddenDim: 1536, experts: 64, topK: 6 },
    ...{ router: { scores: "softmax", biasRate: 1e-3 }, expertParallel: 8 },
    ...{ losses: { sequence: 0.06, orthogonal: 0.01 }, shared: { hiddenDim: 3072 } },
    sources: {
      sizes: "transformers ernie4_5_moe, defaults: ERNIE-4.5-21B-A3B, all but the first layer",
      router:
        "the same; losses: moe/top2_gate.py of PaddlePaddle/ERNIE, balance once for each choice, weights " +
        "1e-2 of its configurations; rate assumed as of DeepSeek-V3",
      groups: "groups inside a node, as its model card says",
    },
    differs: "text alone: no experts of images, no multimodal token-balanced loss",
  },
  {
    ...{ name: "longcat-flash", layers: 28, modelDim: 6144, hiddenDim: 2048, experts: 512 },
    topK: 12,
    router: {
      ...{ scores: "softmax", biasRate: 1, active: 8, normalize: false, scale: 6 },
      identities: 256,
    },
    ...{ losses: {}, expertParallel: 16 },
    sources: {
      sizes: "arXiv 2509.01322; transformers longcat_flash",
      router: "the same, section 2.1; rate assumed: an expert without tokens gains 1.3e-3",
      groups: "inference, its deployment guide on 16 H800: 16 ranks; of training none is published",
    },
    differs: "its report has a balance loss over the experts of a device too",
  },
];
