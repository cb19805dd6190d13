// Gradients of attention. One kernel has those of queries and one those of keys and values; both compute the scores again,
// which is seven products instead of five, but no sum whose order depends on timing.
#include "cuda/hopper/attention_parts.cuh"

namespace schemoe::cuda::hopper {

namespace {

constexpr int kPadded = 128;  // rows of statistics, so that a tile's are there

struct Arguments {
  CUtensorMap q, k, v, dout;
  Extent of;
  int32_t padded;        // length of statistics
  const float* shift;    // [batch, heads, padded]: minus the logarithm of a row's sum of exponentials to base 2
  const float* delta;    // and the sum of dout * out
  bf16 *dq, *dk, *dv;
};

/// Statistics of each query: as many lanes as have its 16 bytes each.
template <int D>
__global__ void __launch_bounds__(256) statistics_kernel(Extent of, int64_t items, int32_t padded, const bf16* out,
                                                         const bf16* dout, const float* logsum, float* shift, float* delta) {
  constexpr int kLanes = D / 8;
  const int64_t item = (int64_t{blockIdx.x} * 256 + threadIdx.x) / kLanes;  // of [batch, padded, heads]
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int64_t row = item / of.heads, head = item % of.heads, sequence = row / padded, token = row % padded;
  const bool there = item < items && token < of.length;
  float sum = 0;
  if (there) {
    const int64_t at = ((sequence * of.length + token) * of.heads + head) * D + 8 * lane;
    float a[8], b[8];
    load(a, out + at);
    load(b, dout + at);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum = __fmaf_rn(a[i], b[i], sum);
  }
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
  if (item >= items || lane != 0) return;
  const int64_t sums = sequence * of.heads + head;
  delta[sums * padded + token] = sum;
  shift[sums * padded + token] = there ? -logsum[sums * of.length + token] * kLog2e : 0.0f;
}

/// GROUPS x 64 queries, N keys at a time.
template <int D, int GROUPS, int N, uint32_t STAGES>
struct QueryGrad {
  static constexpr int kQueries = 64 * GROUPS, kThreads = 128 * (GROUPS + 1);
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

template <int D, int GROUPS, int N, uint32_t STAGES, bool AHEAD>
__global__ void __launch_bounds__(128 * (GROUPS + 1), 1) query_grad_kernel(const __grid_constant__ Arguments p) {
  using Shared = QueryGrad<D, GROUPS, N, STAGES>;
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  const auto ring = shared.ring();
  ring.init(4 * GROUPS);
  // Blocks with most keys begin first.
  const auto first = static_cast<int32_t>((gridDim.x - 1 - blockIdx.x) * Shared::kQueries);
  const auto head = static_cast<int32_t>(blockIdx.y), sequence = static_cast<int32_t>(blockIdx.z);
  const int32_t end = min(first + Shared::kQueries, p.of.length), tiles = (end + N - 1) / N;
  RingTurn<STAGES> turn;
  if (threadIdx.x < 128) {
    give_registers<GROUPS == 2 ? 24 : 32>();
    if (threadIdx.x == 0) {
      ring.resident().expect(2 * Shared::Queries::kBytes);
      shared.queries().load(&p.q, head * D, first, sequence, ring.resident());
      shared.gradients().load(&p.dout, head * D, first, sequence, ring.resident());
      for (int32_t tile = 0; tile < tiles; ++tile, turn.advance()) {
        ring.empty(turn.stage).wait(turn.parity ^ 1);
        const Barrier full = ring.full(turn.stage);
        full.expect(2 * Shared::Keys::kBytes);
        shared.keys(turn.stage).load(&p.k, head / p.of.group * D, tile * N, sequence, full);
        shared.values(turn.stage).load(&p.v, head / p.of.group * D, tile * N, sequence, full);
      }
    }
    return;
  }
  take_registers<GROUPS == 2 ? 240 : 160>();
  const auto number = static_cast<int32_t>(__shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0));
  const int32_t t = static_cast<int32_t>(threadIdx.x % 4);
  const int32_t own = first + 64 * number, row = own + static_cast<int32_t>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4);
  const int32_t mine = min(tiles, (own + 64 + N - 1) / N);
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
      if constexpr (AHEAD) {
        // The tile before is done with.
        settle(dq);
        if (tile > 0) ring.release((turn.stage + STAGES - 1) % STAGES);
      }
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
      round<N>(factor, slope);
      settle(factor);
      settle(dq);
      begin_products();
      add_rows<D, N>(dq, factor, shared.keys(turn.stage));
      commit_products();
      if constexpr (!AHEAD) {
        await_products<0>();
        settle(dq);
        ring.release(turn.stage);
      } else if (tile + 1 == mine) {
        await_products<0>();
        settle(dq);
        ring.release(turn.stage);
      }
    } else {
      ring.release(turn.stage);
    }
    turn.advance();
  }
  const int64_t ld = int64_t{p.of.heads} * D;
  const float by[2] = {p.of.scale, p.of.scale};
  write_rows<D>(p.dq + sequence * p.of.length * ld + head * D, ld, row, p.of.length, dq, by);
}

/// GROUPS x 64 keys, N queries at a time.
template <int D, int GROUPS, int N, uint32_t STAGES>
struct KeyGrad {
  static constexpr int kKeys = 64 * GROUPS, kThreads = 128 * (GROUPS + 1);
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
template <int D, int GROUPS, int N, uint32_t STAGES, bool LEAN>
__global__ void __launch_bounds__(128 * (GROUPS + 1), 1) key_grad_kernel(const __grid_constant__ Arguments p) {
  using Shared = KeyGrad<D, GROUPS, N, STAGES>;
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  const auto ring = shared.ring();
  ring.init(4 * GROUPS);
  const auto first = static_cast<int32_t>(blockIdx.x * Shared::kKeys);
  const auto key_head = static_cast<int32_t>(blockIdx.y), sequence = static_cast<int32_t>(blockIdx.z);
  // Of each head that shares the keys, tiles of queries from the first one that is not before all keys.
  const int32_t from = first / N, last = (p.of.length + N - 1) / N;
  RingTurn<STAGES> turn;
  if (threadIdx.x < 128) {
    give_registers<GROUPS == 2 ? 24 : 32>();
    if (threadIdx.x == 0) {
      ring.resident().expect(2 * Shared::Keys::kBytes);
      shared.keys().load(&p.k, key_head * D, first, sequence, ring.resident());
      shared.values().load(&p.v, key_head * D, first, sequence, ring.resident());
      for (int32_t head = key_head * p.of.group; head < (key_head + 1) * p.of.group; ++head) {
        const int64_t sums = (int64_t{sequence} * p.of.heads + head) * p.padded;
        for (int32_t tile = from; tile < last; ++tile, turn.advance()) {
          ring.empty(turn.stage).wait(turn.parity ^ 1);
          const Barrier full = ring.full(turn.stage);
          full.expect(2 * Shared::Queries::kBytes + 2 * N * 4);
          shared.queries(turn.stage).load(&p.q, head * D, tile * N, sequence, full);
          shared.gradients(turn.stage).load(&p.dout, head * D, tile * N, sequence, full);
          load_bytes(shared.shift(turn.stage), p.shift + sums + tile * N, N * 4, full);
          load_bytes(shared.delta(turn.stage), p.delta + sums + tile * N, N * 4, full);
        }
      }
    }
    return;
  }
  take_registers<GROUPS == 2 ? 240 : 160>();
  const auto number = static_cast<int32_t>(__shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0));
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
          if constexpr (LEAN) {
            const float2 both = halves_of(probability[j / 2][j % 2 * 2 + q / 2]);
            of = q % 2 ? both.y : both.x;
          }
          slope[j][q] = of * (slope[j][q] - (q % 2 ? by.y : by.x));
        }
      }
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

int32_t padded_of(const Heads& h) { return static_cast<int32_t>(ceil_div(h.length, kPadded) * kPadded); }

template <int D>
void launch_statistics(const AttentionBackward& a, float* shift, float* delta, cudaStream_t stream) {
  const Heads& h = a.heads;
  const int64_t items = h.batch * padded_of(h) * h.heads;
  LAUNCH(stream, grid_of(ceil_div(items * (D / 8), 256)), 256, 0, statistics_kernel<D>, extent_of(h), items, padded_of(h),
         static_cast<const bf16*>(a.out), static_cast<const bf16*>(a.dout), a.logsum, shift, delta);
}

template <int D, int GROUPS, int N, uint32_t STAGES, bool AHEAD>
void launch_queries(const Heads& h, const Arguments& p, cudaStream_t stream) {
  using Shared = QueryGrad<D, GROUPS, N, STAGES>;
  launch<query_grad_kernel<D, GROUPS, N, STAGES, AHEAD>>(ceil_div(h.length, Shared::kQueries), h.heads, h.batch,
         Shared::kThreads, Shared::kBytes, stream, p);
}

template <int D, int GROUPS, int N, uint32_t STAGES, bool LEAN>
void launch_keys(const Heads& h, const Arguments& p, cudaStream_t stream) {
  using Shared = KeyGrad<D, GROUPS, N, STAGES>;
  static_assert(kPadded % N == 0);
  launch<key_grad_kernel<D, GROUPS, N, STAGES, LEAN>>(ceil_div(h.length, Shared::kKeys), h.key_heads, h.batch,
         Shared::kThreads, Shared::kBytes, stream, p);
}

Arguments arguments_of(const AttentionBackward& a) {
  const Heads& h = a.heads;
  float *const shift = a.scratch, *const delta = shift + h.batch * h.heads * padded_of(h);
  return {map_of(a.q, h, h.heads), map_of(a.k, h, h.key_heads), map_of(a.v, h, h.key_heads), map_of(a.dout, h, h.heads),
          extent_of(h), padded_of(h), shift, delta,
          static_cast<bf16*>(a.dq), static_cast<bf16*>(a.dk), static_cast<bf16*>(a.dv)};
}

}  // namespace

int64_t scratch_of(const Heads& h) { return 2 * h.batch * h.heads * padded_of(h); }

void run(const AttentionBackward& a, cudaStream_t stream) {
  const Heads& h = a.heads;
  const Arguments p = arguments_of(a);
  float *const shift = a.scratch, *const delta = shift + h.batch * h.heads * padded_of(h);
  if (h.dim == 64) {
    launch_statistics<64>(a, shift, delta, stream);
    launch_queries<64, 3, 64, 4, false>(h, p, stream);
    launch_keys<64, 2, 64, 4, false>(h, p, stream);
  } else {
    launch_statistics<128>(a, shift, delta, stream);
    launch_queries<128, 2, 64, 3, false>(h, p, stream);
    launch_keys<128, 2, 64, 2, false>(h, p, stream);
  }
}

}  // namespace schemoe::cuda::hopper
