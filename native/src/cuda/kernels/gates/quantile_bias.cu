// The bias with which each expert would be chosen by as many tokens as any other.
#include "cuda/hopper/columns.h"
#include "cuda/kernels/gates/best.cuh"
#include "cuda/kernels/gates/columns.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// Of how much the logit of [token, expert] is above the token's margin.
struct Keys {
  const float* logits;
  const float* margins;
  int64_t experts;
  template <int V>
  __device__ void load(Own<V, V>& to, int64_t token, int expert) const {
    to.load(logits + token * experts + expert, V, 0);
  }
  __device__ uint32_t of(float logit, int64_t token) const { return key_of(logit - margins[token]); }
  __device__ uint32_t operator()(int64_t token, int expert) const {
    return of(logits[token * experts + expert], token);
  }
};

/// Nothing is written while the matrix is gone through.
struct Nothing {
  template <int V>
  __device__ void operator()(int64_t, int, const bool (&)[V]) const {}
};

/// The (k + 1)-th largest of each row of logits + bias.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    margins_kernel(int64_t tokens, int rows, int k, const float* logits, const float* bias, float* margins,
                   uint32_t* scratch) {
  __shared__ Slots slots[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  for (RowOf<G> row(tokens); row.any(); row.next()) {
    const float* logit = logits + row.index * rows;
    Own<N, V, float, G> z;
    Own<N, V, uint32_t, G> keys;
    z.load(logit, rows, lane);
    keys.place(scratch + (int64_t{blockIdx.x} * kWarps + warp) * rows);
    set_keys(rows, lane, keys, [&](int e, float value) { return key_of(value + bias[e]); }, z);
    int found = 0;
    if (k < kMostFirst) {
      found = find_first(rows, lane, k + 1, slots[warp], keys, NoSecond{}).at(k);
    } else {
      for (int c = 0; c <= k; ++c) found = take_first(rows, lane, keys, NoSecond{});
    }
    if (lane == 0 && row.has) margins[row.index] = logit[found] + bias[found];
    __syncwarp();
  }
}

__global__ void __launch_bounds__(kDigits) quantiles_kernel(Search s, Keys keys, float* out) {
  for (int e = static_cast<int>(blockIdx.x); e < s.columns; e += static_cast<int>(gridDim.x)) {
    const Rest rest = rest_of(s, e);
    const Element* list = s.list + int64_t{e} * s.room;
    const Found found = find_among(rest.count, rest.left, [&](int64_t i, uint32_t& value) {
      value = rest.whole ? keys(i, e) : list[i].key;
      return true;
    });
    if (threadIdx.x == 0) out[e] = -number_of(found.value);
  }
}

}  // namespace

void run(const QuantileBias& q, const Context& context) {
  if (q.tokens == 0 || q.rows == 0) return;
  const auto *logits = context.at<const float>(q.logits), *bias = context.at<const float>(q.bias);
  const int64_t rank = std::min(q.tokens * q.k / q.rows, q.tokens - 1);
  // Keys of rows that stay in memory lie where the search will.
  const size_t keys = q.rows > 1024 ? static_cast<size_t>(row_blocks(q.tokens, q.rows, 32) * kWarps * q.rows) * 4 : 0;
  const size_t bytes = (std::max(keys, bytes_of_search(q.tokens, q.rows, nullptr, nullptr, 0)) + 7) / 8 * 8;
  auto* scratch = context.scratch.get<std::byte>(bytes + static_cast<size_t>(q.tokens) * sizeof(float), context.stream);
  auto* margins = reinterpret_cast<float*>(scratch + bytes);
  with_row(q.rows, {logits}, [&](auto n, auto v, auto g) {
    LAUNCH(context.stream, row_blocks(q.tokens, q.rows, g()), kThreads, 0, (margins_kernel<n(), v(), g()>), q.tokens,
           static_cast<int>(q.rows), static_cast<int>(q.k), logits, bias, margins, reinterpret_cast<uint32_t*>(scratch));
  });
  if (hopper::find_quantiles(q.tokens, q.rows, rank + 1, logits, margins, context.at<float>(q.out), context.stream)) return;
  Search s;
  bytes_of_search(q.tokens, q.rows, &s, scratch, rank + 1);
  const Keys by{logits, margins, q.rows};
  sweep(s, by, Nothing{}, q.rows % 4 == 0 && aligned(logits), context);
  LAUNCH(context.stream, grid_of(q.rows), kDigits, 0, quantiles_kernel, s, by, context.at<float>(q.out));
}

}  // namespace schemoe::cuda
