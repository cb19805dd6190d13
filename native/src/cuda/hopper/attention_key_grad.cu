// Gradients of keys and values: a block has some, and goes over the queries that look at them and the gradients of outputs.
#include "cuda/hopper/attention_grad.cuh"

namespace schemoe::cuda::hopper {

namespace {

/// GROUPS x 64 keys, N queries at a time.
template <int D, int GROUPS, int N, uint32_t STAGES>
struct KeyGrad {
  static constexpr int kKeys = 64 * GROUPS;
  using Keys = RowTile<D, kKeys>;
  using Queries = RowTile<D, N>;
  static constexpr uint32_t kStatistics = 2 * Keys::kBytes + STAGES * 2 * Queries::kBytes;
  static constexpr uint32_t kRing = kStatistics + STAGES * 2 * N * 4;
  static constexpr uint32_t kBytes = kRing + Ring<STAGES>::kBytes + kAlign;

  uint32_t base;
  __device__ Keys keys() const { return {base}; }
  __device__ Keys values() const { return {base + Keys::kBytes}; }
  __device__ Queries queries(uint32_t stage) const { return {base + 2 * Keys::kBytes + stage * 2 * Queries::kBytes}; }
  __device__ Queries gradients(uint32_t stage) const { return {queries(stage).base + Queries::kBytes}; }
  __device__ uint32_t shift(uint32_t stage) const { return base + kStatistics + stage * 2 * N * 4; }
  __device__ uint32_t delta(uint32_t stage) const { return shift(stage) + N * 4; }
  __device__ Ring<STAGES> ring() const { return {base + kRing}; }
};

/// Scores are transposed: rows are keys.
template <int D, int GROUPS, int N, uint32_t STAGES, bool ROUNDED>
__global__ void __launch_bounds__(kThreads<GROUPS, 1>, 1) key_grad_kernel(const __grid_constant__ GradArguments p) {
  using Shared = KeyGrad<D, GROUPS, N, STAGES>;
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  const auto ring = shared.ring();
  ring.init(4 * GROUPS);
  const auto first = static_cast<int32_t>(blockIdx.x * Shared::kKeys);
  const auto key_head = static_cast<int32_t>(blockIdx.y), sequence = static_cast<int32_t>(blockIdx.z);
  // Of each head that shares the keys, tiles of queries from the first one that is not before all keys.
  const int32_t from = first / N, last = (p.of.length + N - 1) / N;
  const int32_t each = max(last - from, 0), steps = each * p.of.group;
  const auto copy = [&](int32_t step, uint32_t stage, Barrier full) {
    const int32_t head = key_head * p.of.group + step / each, tile = from + step % each;
    const int64_t sums = (int64_t{sequence} * p.of.heads + head) * p.padded + tile * N;
    full.expect(2 * Shared::Queries::kBytes + 2 * N * 4);
    shared.queries(stage).load(&p.q, head * D, tile * N, sequence, full);
    shared.gradients(stage).load(&p.dout, head * D, tile * N, sequence, full);
    load_bytes(shared.shift(stage), p.shift + sums, N * 4, full);
    load_bytes(shared.delta(stage), p.delta + sums, N * 4, full);
  };
  const auto stay = [&](Barrier resident) {
    resident.expect(2 * Shared::Keys::kBytes);
    shared.keys().load(&p.k, key_head * D, first, sequence, resident);
    shared.values().load(&p.v, key_head * D, first, sequence, resident);
  };
  const Supply<GROUPS, 1, STAGES> supply{ring, steps};
  if (!supply.begin(stay, copy)) return;
  RingTurn<STAGES> turn;
  const auto number = static_cast<int32_t>(__shfl_sync(kAllLanes, threadIdx.x / 128, 0));
  const uint32_t t = threadIdx.x % 4;
  const int32_t own = first + 64 * number, key = own + static_cast<int32_t>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4);
  const float c = p.of.scale * kLog2e;
  Sums<D> dk, dv;
  clear<D>(dk);
  clear<D>(dv);
  ring.resident().wait(0);
  for (int32_t head = 0; head < p.of.group; ++head) {
    for (int32_t tile = from; tile < last; ++tile, turn.advance()) {
      const int32_t query = tile * N;
      ring.full(turn.stage).wait(turn.parity);
      if (query + N <= own) {  // all of them are before the keys
        ring.release(turn.stage);
        continue;
      }
      Sums<N> score, slope;
      Rounded<N> probability, factor;
      begin_products();
      scores(score, shared.keys(), 64 * number, shared.queries(turn.stage));
      commit_products();
      scores(slope, shared.values(), 64 * number, shared.gradients(turn.stage));
      commit_products();
      await_products<1>();
      settle(score);
      const uint32_t shift = shared.shift(turn.stage) + 8 * t, delta = shared.delta(turn.stage) + 8 * t;
#pragma unroll
      for (int j = 0; j < N / 8; ++j) {
        const float2 by = load_pair(shift + 32 * j);
#pragma unroll
        for (int q = 0; q < 4; ++q) score[j][q] = power_of_two(__fmaf_rn(score[j][q], c, q % 2 ? by.y : by.x));
      }
      if (query < own + 63) {
#pragma unroll
        for (int j = 0; j < N / 8; ++j) {
#pragma unroll
          for (int q = 0; q < 4; ++q) {
            if (query + 8 * j + static_cast<int32_t>(2 * t) + q % 2 < key + q / 2 * 8) score[j][q] = 0;
          }
        }
      }
      round<N>(probability, score);
      settle(probability);
      settle(dv);
      begin_products();
      add_rows<D, N>(dv, probability, shared.gradients(turn.stage));
      commit_products();
      await_products<1>();
      settle(slope);
#pragma unroll
      for (int j = 0; j < N / 8; ++j) {
        const float2 by = load_pair(delta + 32 * j);
#pragma unroll
        for (int q = 0; q < 4; ++q) {
          float of = score[j][q];
          if constexpr (ROUNDED) {
            const float2 both = halves_of(probability[j / 2][j % 2 * 2 + q / 2]);
            of = q % 2 ? both.y : both.x;
          }
          slope[j][q] = of * (slope[j][q] - (q % 2 ? by.y : by.x));
        }
      }
      if (query + key + static_cast<int32_t>(t) == 0) slope[0][0] -= slope[0][0];  // of the first query's only score: exactly 0
      round<N>(factor, slope);
      settle(factor);
      settle(dk);
      begin_products();
      add_rows<D, N>(dk, factor, shared.queries(turn.stage));
      commit_products();
      await_products<0>();
      settle(dk);
      settle(dv);
      ring.release(turn.stage);
    }
  }
  const int64_t ld = int64_t{p.of.heads / p.of.group} * D, to = sequence * p.of.length * ld + key_head * D;
  const float by[2] = {p.of.scale, p.of.scale}, one[2] = {1, 1};
  write_rows<D>(p.dk + to, ld, key, p.of.length, dk, by);
  write_rows<D>(p.dv + to, ld, key, p.of.length, dv, one);
}

template <int D, int GROUPS, int N, uint32_t STAGES, bool ROUNDED>
void launch_keys(const Heads& h, const GradArguments& p, cudaStream_t stream) {
  using Shared = KeyGrad<D, GROUPS, N, STAGES>;
  static_assert(kPadded % N == 0);
  launch<key_grad_kernel<D, GROUPS, N, STAGES, ROUNDED>>(ceil_div(h.length, Shared::kKeys), h.key_heads, h.batch,
         kThreads<GROUPS, 1>, Shared::kBytes, stream, p);
}

}  // namespace

void run_key_grad(const Heads& h, const GradArguments& p, cudaStream_t stream) {
  if (h.dim == 64) launch_keys<64, 2, 128, 2, true>(h, p, stream);
  else launch_keys<128, 2, 64, 2, false>(h, p, stream);
}

}  // namespace schemoe::cuda::hopper
