// Gradients of queries: a block has some, and goes over keys and values.
#include "cuda/hopper/attention_grad.cuh"

namespace schemoe::cuda::hopper {

namespace {

/// GROUPS x 64 queries, N keys at a time.
template <int D, int GROUPS, int N, uint32_t STAGES>
struct QueryGrad {
  static constexpr int kQueries = 64 * GROUPS;
  using Queries = RowTile<D, kQueries>;
  using Keys = RowTile<D, N>;
  static constexpr uint32_t kRing = 2 * Queries::kBytes + STAGES * 2 * Keys::kBytes;
  static constexpr uint32_t kBytes = kRing + Ring<STAGES>::kBytes + kAlign;

  uint32_t base;
  __device__ Queries queries() const { return {base}; }
  __device__ Queries gradients() const { return {base + Queries::kBytes}; }
  __device__ Keys keys(uint32_t stage) const { return {base + 2 * Queries::kBytes + stage * 2 * Keys::kBytes}; }
  __device__ Keys values(uint32_t stage) const { return {keys(stage).base + Keys::kBytes}; }
  __device__ Ring<STAGES> ring() const { return {base + kRing}; }
};

template <int D, int GROUPS, int N, uint32_t STAGES>
__global__ void __launch_bounds__(kThreads<GROUPS, 1>, 1) query_grad_kernel(const __grid_constant__ GradArguments p) {
  using Shared = QueryGrad<D, GROUPS, N, STAGES>;
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  const auto ring = shared.ring();
  ring.init(4 * GROUPS);
  const QueryBlock<GROUPS, N> block(p.of);
  const auto [first, head, sequence, tiles] = block;
  const auto copy = [&](int32_t tile, uint32_t stage, Barrier full) { block.template load_keys<D>(shared, p, tile, stage, full); };
  const auto stay = [&](Barrier resident) {
    resident.expect(2 * Shared::Queries::kBytes);
    shared.queries().load(&p.q, head * D, first, sequence, resident);
    shared.gradients().load(&p.dout, head * D, first, sequence, resident);
  };
  const Supply<GROUPS, 1, STAGES> supply{ring, tiles};
  if (!supply.begin(stay, copy)) return;
  RingTurn<STAGES> turn;
  const auto [number, own, row, mine] = OwnQueries(block);
  const int32_t t = static_cast<int32_t>(threadIdx.x % 4);
  const float c = p.of.scale * kLog2e;
  float shift[2], delta[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t at = (int64_t{sequence} * p.of.heads + head) * p.padded + row + 8 * half;
    const bool there = row + 8 * half < p.of.length;
    shift[half] = there ? p.shift[at] : 0.0f;
    delta[half] = there ? p.delta[at] : 0.0f;
  }
  Sums<D> dq;
  clear<D>(dq);
  ring.resident().wait(0);
  for (int32_t tile = 0; tile < tiles; ++tile) {
    ring.full(turn.stage).wait(turn.parity);
    if (tile < mine) {
      Sums<N> score, slope;
      Rounded<N> factor;
      begin_products();
      scores(score, shared.queries(), 64 * number, shared.keys(turn.stage));
      commit_products();
      scores(slope, shared.gradients(), 64 * number, shared.values(turn.stage));
      commit_products();
      await_products<1>();
      settle(score);
      const bool masked = tile * N + N - 1 > own;
#pragma unroll
      for (int j = 0; j < N / 8; ++j) {
#pragma unroll
        for (int q = 0; q < 4; ++q) score[j][q] = power_of_two(__fmaf_rn(score[j][q], c, shift[q / 2]));
      }
      if (masked) {
#pragma unroll
        for (int j = 0; j < N / 8; ++j) {
#pragma unroll
          for (int q = 0; q < 4; ++q) {
            if (tile * N + 8 * j + 2 * t + q % 2 > row + q / 2 * 8) score[j][q] = 0;
          }
        }
      }
      await_products<0>();
      settle(slope);
#pragma unroll
      for (int j = 0; j < N / 8; ++j) {
#pragma unroll
        for (int q = 0; q < 4; ++q) slope[j][q] = score[j][q] * (slope[j][q] - delta[q / 2]);
      }
      if (tile + row + t == 0) slope[0][0] -= slope[0][0];  // of the first query's only score: exactly 0
      round<N>(factor, slope);
      settle(factor);
      settle(dq);
      begin_products();
      add_rows<D, N>(dq, factor, shared.keys(turn.stage));
      commit_products();
      await_products<0>();
      settle(dq);
    }
    ring.release(turn.stage);
    turn.advance();
  }
  const int64_t ld = int64_t{p.of.heads} * D;
  const float by[2] = {p.of.scale, p.of.scale};
  write_rows<D>(p.dq + sequence * p.of.length * ld + head * D, ld, row, p.of.length, dq, by);
}

template <int D, int GROUPS, int N, uint32_t STAGES>
void launch_queries(const Heads& h, const GradArguments& p, cudaStream_t stream) {
  using Shared = QueryGrad<D, GROUPS, N, STAGES>;
  launch<query_grad_kernel<D, GROUPS, N, STAGES>>(ceil_div(h.length, Shared::kQueries), h.heads, h.batch,
         kThreads<GROUPS, 1>, Shared::kBytes, stream, p);
}

}  // namespace

void run_query_grad(const Heads& h, const GradArguments& p, cudaStream_t stream) {
  if (h.dim == 64) launch_queries<64, 3, 64, 4>(h, p, stream);
  else launch_queries<128, 2, 64, 3>(h, p, stream);
}

}  // namespace schemoe::cuda::hopper
