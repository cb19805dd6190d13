// Attention forward: a running softmax over tiles of scores (Dao, "FlashAttention-2", arXiv 2307.08691). While a tile's
// exponentials are computed, the tensor cores add the values of the tile before (Shah et al., "FlashAttention-3", arXiv
// 2407.08608).
#include <cmath>

#include "cuda/hopper/attention_parts.cuh"

namespace schemoe::cuda::hopper {

namespace {

/// N keys at a time for each of GROUPS x 64 queries.
template <int D, int GROUPS, int N, uint32_t STAGES>
struct Forward {
  static constexpr int kQueries = 64 * GROUPS;
  using Queries = RowTile<D, kQueries>;
  using Keys = RowTile<D, N>;
  static constexpr uint32_t kRing = Queries::kBytes + STAGES * 2 * Keys::kBytes;
  static constexpr uint32_t kBytes = kRing + Ring<STAGES>::kBytes + kAlign;

  uint32_t base;
  __device__ Queries queries() const { return {base}; }
  __device__ Keys keys(uint32_t stage) const { return {base + Queries::kBytes + stage * 2 * Keys::kBytes}; }
  __device__ Keys values(uint32_t stage) const { return {keys(stage).base + Keys::kBytes}; }
  __device__ Ring<STAGES> ring() const { return {base + kRing}; }
};

struct Arguments {
  CUtensorMap q, k, v;
  Extent of;
  bf16* out;
  float* logsum;
};

/// A row's largest score and sum of exponentials so far.
template <int N>
struct Softmax {
  float most[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};

  /// Scores become exponentials; what was summed before is to be multiplied by `before`.
  __device__ void take(Sums<N>& score, float c, float (&before)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float here = score[0][2 * half];
#pragma unroll
      for (int j = 0; j < N / 8; ++j) here = fmaxf(here, fmaxf(score[j][2 * half], score[j][2 * half + 1]));
      here = over_row(here, [](float a, float b) { return fmaxf(a, b); });
      const float higher = fmaxf(most[half], here), shift = -higher * c;
      before[half] = power_of_two(__fmaf_rn(most[half], c, shift));
      most[half] = higher;
      float sum = 0;
#pragma unroll
      for (int j = 0; j < N / 8; ++j) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& x = score[j][2 * half + i];
          x = power_of_two(__fmaf_rn(x, c, shift));
          sum += x;
        }
      }
      total[half] = __fmaf_rn(total[half], before[half], sum);
    }
  }
};

/// Keys from `first` on that come after the thread's queries count for nothing.
template <int N>
__device__ void mask(Sums<N>& score, int32_t first, int32_t query) {
  const int32_t t = static_cast<int32_t>(threadIdx.x % 4);
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      if (first + 8 * j + 2 * t + q % 2 > query + q / 2 * 8) score[j][q] = -INFINITY;
    }
  }
}

template <int D, int GROUPS, int N, uint32_t STAGES, int BLOCKS>
__global__ void __launch_bounds__(kThreads<GROUPS, BLOCKS>, BLOCKS) forward_kernel(const __grid_constant__ Arguments p) {
  using Shared = Forward<D, GROUPS, N, STAGES>;
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  const auto ring = shared.ring();
  ring.init(4 * GROUPS);
  const QueryBlock<GROUPS, N> block(p.of);
  const auto [first, head, sequence, tiles] = block;
  const auto copy = [&](int32_t tile, uint32_t stage, Barrier full) { block.template load_keys<D>(shared, p, tile, stage, full); };
  const auto stay = [&](Barrier resident) {
    resident.expect(Shared::Queries::kBytes);
    shared.queries().load(&p.q, head * D, first, sequence, resident);
  };
  const Supply<GROUPS, BLOCKS, STAGES> supply{ring, tiles};
  if (!supply.begin(stay, copy)) return;
  RingTurn<STAGES> turn;
  const auto [number, own, row, mine] = OwnQueries(block);
  const float c = p.of.scale * kLog2e;
  Sums<N> score;
  Sums<D> out;
  Rounded<N> factor;
  Softmax<N> softmax;
  float before[2];
  clear<D>(out);
  ring.resident().wait(0);
  ring.full(0).wait(0);
  begin_products();
  scores(score, shared.queries(), 64 * number, shared.keys(0));
  commit_products();
  await_products<0>();
  settle(score);
  if (N - 1 > own) mask<N>(score, 0, row);
  softmax.take(score, c, before);
  round<N>(factor, score);
  for (int32_t tile = 1; tile < mine; ++tile) {
    const uint32_t last = turn.stage;
    turn.advance();
    ring.full(turn.stage).wait(turn.parity);
    settle(factor);
    settle(out);
    begin_products();
    scores(score, shared.queries(), 64 * number, shared.keys(turn.stage));
    commit_products();
    add_rows<D, N>(out, factor, shared.values(last));
    commit_products();
    supply.template refill<2>(tile, copy);
    await_products<1>();
    settle(score);
    if (tile * N + N - 1 > own) mask<N>(score, tile * N, row);
    softmax.take(score, c, before);
    await_products<0>();
    settle(out);
    ring.release(last);
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
#pragma unroll
      for (int q = 0; q < 4; ++q) out[j][q] *= before[q / 2];
    }
    round<N>(factor, score);
  }
  settle(factor);
  settle(out);
  begin_products();
  add_rows<D, N>(out, factor, shared.values(turn.stage));
  commit_products();
  float by[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = over_row(softmax.total[half], [](float a, float b) { return a + b; });
    by[half] = 1 / sum;
    const int32_t at = row + 8 * half;
    if (threadIdx.x % 4 == 0 && at < p.of.length) {
      p.logsum[(int64_t{sequence} * p.of.heads + head) * p.of.length + at] = softmax.most[half] * p.of.scale + logf(sum);
    }
  }
  await_products<0>();
  settle(out);
  // No copies are under way when the block ends, though these queries come before their keys.
  for (int32_t tile = mine; tile < tiles; ++tile) {
    ring.release(turn.stage);
    turn.advance();
    supply.template refill<2>(tile, copy);
    ring.full(turn.stage).wait(turn.parity);
  }
  const int64_t ld = int64_t{p.of.heads} * D;
  write_rows<D>(p.out + sequence * p.of.length * ld + head * D, ld, row, p.of.length, out, by);
}

template <int D, int GROUPS, int N, uint32_t STAGES, int BLOCKS>
void launch_forward(const AttentionForward& a, cudaStream_t stream) {
  using Shared = Forward<D, GROUPS, N, STAGES>;
  const Heads& h = a.heads;
  const Arguments p{map_of(a.q, h, h.heads), map_of(a.k, h, h.key_heads), map_of(a.v, h, h.key_heads), extent_of(h),
                    static_cast<bf16*>(a.out), a.logsum};
  static_assert(BLOCKS * (Shared::kBytes + 1024) <= 228 * 1024);
  launch<forward_kernel<D, GROUPS, N, STAGES, BLOCKS>>(ceil_div(h.length, Shared::kQueries), h.heads, h.batch, kThreads<GROUPS, BLOCKS>,
         Shared::kBytes, stream, p);
}

}  // namespace

void run(const AttentionForward& a, cudaStream_t stream) {
  if (a.heads.dim == 64) launch_forward<64, 2, 64, 4, 2>(a, stream);
  else launch_forward<128, 2, 128, 2, 1>(a, stream);
}

}  // namespace schemoe::cuda::hopper
