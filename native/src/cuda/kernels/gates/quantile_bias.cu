// The bias with which each expert would be chosen by as many tokens as any other.
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
  __device__ uint32_t operator()(int64_t token, int expert) const {
    return key_of(logits[token * experts + expert] - margins[token]);
  }
};

/// The (k + 1)-th largest of each row of logits + bias.
template <int N, int V>
__global__ void __launch_bounds__(kThreads)
    margins_kernel(int64_t tokens, int rows, int k, const float* logits, const float* bias, float* margins,
                   uint32_t* scratch) {
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  auto* slots = reinterpret_cast<Candidate*>(shared_memory()) + warp * kSlots;
  for (int64_t token = int64_t{blockIdx.x} * kWarps + warp; token < tokens; token += int64_t{gridDim.x} * kWarps) {
    Own<N, V> z;
    Own<N, V, uint32_t> keys;
    z.load(logits + token * rows, rows, lane);
    keys.place(scratch + (int64_t{blockIdx.x} * kWarps + warp) * rows);
    each(rows, lane, [&](int e, uint32_t& key, float& logit) { key = key_of(logit + bias[e]); }, keys, z);
    int found = -1;
    if (k + 1 <= 32) {
      const int total = gather(rows, lane, k + 1, slots, keys, z, NoSecond{});
      if (total > k) found = __shfl_sync(kAllLanes, ranked(slots, total, k + 1, lane).number, k);
    }
    if (found < 0) {
      for (int c = 0; c < k; ++c) take_first(rows, lane, keys, NoSecond{});
      found = take_first(rows, lane, keys, NoSecond{});
    }
    if (lane == 0) margins[token] = logits[token * rows + found] + bias[found];
    __syncwarp();
  }
}

__global__ void __launch_bounds__(256) quantiles_kernel(Search s, float* out) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  for (int64_t e = int64_t{blockIdx.x} * 8 + threadIdx.x / 32; e < s.columns; e += int64_t{gridDim.x} * 8) {
    const Found found = next_digit(s, kPasses - 1, static_cast<int>(e), lane);
    if (lane == 0) out[e] = -number_of(found.prefix);
  }
}

}  // namespace

void run(const QuantileBias& q, const Context& context) {
  if (q.tokens == 0 || q.rows == 0) return;
  const auto *logits = context.at<const float>(q.logits), *bias = context.at<const float>(q.bias);
  const int64_t rank = std::min(q.tokens * q.k / q.rows, q.tokens - 1);
  const unsigned grid = row_blocks(q.tokens, q.rows);
  // Keys of rows that stay in memory lie where counts will, of which there are more.
  const int64_t keys = q.rows > 1024 ? grid * kWarps * q.rows : 0;
  const int64_t counts = kPasses * q.rows * kDigits + 2 * (kPasses + 1) * q.rows;
  const int64_t words = std::max(keys, counts);
  auto* scratch = context.scratch.get<uint32_t>(static_cast<size_t>(words + q.tokens), context.stream);
  auto* margins = reinterpret_cast<float*>(scratch + words);
  with_row(q.rows, {logits}, [&](auto n, auto v) {
    LAUNCH(context.stream, grid, kThreads, kWarps * kSlots * sizeof(Candidate), (margins_kernel<n(), v()>), q.tokens,
           static_cast<int>(q.rows), static_cast<int>(q.k), logits, bias, margins, scratch);
  });
  const Search s = search_of(q.tokens, q.rows, rank + 1, context);
  search(s, Keys{logits, margins, q.rows}, context);
  LAUNCH(context.stream, grid_of(ceil_div(q.rows, 8)), 256, 0, quantiles_kernel, s, context.at<float>(q.out));
}

}  // namespace schemoe::cuda
