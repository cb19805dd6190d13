// Losses on a routing whose parts are sums over tokens.
#include "cuda/kernels/gates/last_blocks.cuh"
#include "cuda/kernels/gates/scatter.cuh"
#include "cuda/kernels/gates/scores.cuh"
#include "cuda/kernels/lanes.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// loss = factor * sum over rows of mean probability * count; its slope in each probability is that of every token.
struct Balance {
  const float* counts;
  float* balance;
  double factor;
  int64_t tokens;
  const int32_t* padding;
  Loss report;
  __device__ void operator()(const volatile double* sums, int64_t count) const {
    const double others = other_tokens(padding, tokens);
    double by = factor;
    if (padding) {
      // Other ranks may have other numbers of tokens: what is counted says how many.
      double part = 0;
      for (int64_t e = threadIdx.x; e < count; e += blockDim.x) part += counts[e];
      const double all = block_sum(part);
      by = all > 0 ? factor / all : 0.0;
    }
    double part = 0;
    for (int64_t e = threadIdx.x; e < count; e += blockDim.x) {
      part += sums[e] * counts[e];
      balance[e] += static_cast<float>(report.weight * by * counts[e] / others);
    }
    const double sum = block_sum(part);
    if (threadIdx.x == 0) report(by * sum / others);
  }
};

/// Whether blocks have so many threads that the last ones can add up their parts.
template <int N>
constexpr bool kLast = kSumming<N> == kLastThreads;

/// Sums of probabilities. A block has one warp where rows stay in memory: its sums lie at its part.
template <int N, int V, int G>
__global__ void __launch_bounds__(kSumming<N>)
    probabilities_kernel(Scores kind, int64_t tokens, int rows, const float* scores, const int32_t* padding, Parts parts,
                         unsigned* zeros, Balance then) {
  const auto lane = static_cast<int>(threadIdx.x % G);
  Own<N, V, double, G> sums;
  sums.place(parts.sums + int64_t{blockIdx.x} * rows);
  if constexpr (N == 0) each(rows, lane, [](int, double& sum) { sum = 0; }, sums);
  else {
    for (double& sum : sums.values) sum = 0;
  }
  Own<N, V, float, G> s, next;
  RowOf<G> row(tokens);
  if (row.any()) next.load(scores + row.index * rows, rows, lane);
  while (row.any()) {
    s = next;
    const bool has = row.has && !(padding && padding[row.index] != 0);
    row.next();
    if (row.any()) next.load(scores + row.index * rows, rows, lane);
    float most = 0, factor = 1;
    if (kind == Scores::softmax_of_chosen) {
      most = largest(rows, lane, s);
      factor = static_cast<float>(1 / sum_of_exponentials(rows, lane, s, most));
    } else if (kind != Scores::softmax) {
      factor = static_cast<float>(1 / (sum_of(rows, lane, s) + kTiny));
    }
    if (!has) continue;
    each(rows, lane, [&](int, double& sum, float& score) {
      sum += kind == Scores::softmax_of_chosen ? expf(score - most) * factor : score * factor;
    }, sums, s);
  }
  if constexpr (N == 0) {
    if (blockIdx.x == 0 && lane == 0) *parts.done = 0;
  } else {
    auto* shared = reinterpret_cast<double*>(shared_memory());
    put_sums(rows, lane, sums, shared);
    write_part(shared, kSumming<N> / 32, rows, parts);
    if constexpr (kLast<N>) finish_last(rows, parts, zeros, then);
  }
}

/// The sum of a single column, the mean of which is the loss.
struct Mean {
  int64_t tokens;
  const int32_t* padding;
  Loss report;
  __device__ void operator()(const volatile double* sums, int64_t) const {
    const double others = other_tokens(padding, tokens);
    if (threadIdx.x == 0) report(sums[0] / others);
  }
};

/// Sums over tokens of the square of a row's logsumexp, one for each block.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    z_kernel(int64_t tokens, int rows, const float* logits, const int32_t* padding, Parts parts) {
  __shared__ double of_groups[kThreads / G];
  const auto lane = static_cast<int>(threadIdx.x % G);
  double sum = 0;
  Own<N, V, float, G> z, next;
  RowOf<G> row(tokens);
  if (row.any()) next.load(logits + row.index * rows, rows, lane);
  while (row.any()) {
    z = next;
    const bool has = row.has && !(padding && padding[row.index] != 0);
    row.next();
    if (row.any()) next.load(logits + row.index * rows, rows, lane);
    const float most = largest(rows, lane, z);
    const double all = most + log(sum_of_exponentials(rows, lane, z, most));
    if (has) sum += all * all;
  }
  if (lane == 0) of_groups[threadIdx.x / G] = sum;
  write_part(of_groups, kThreads / G, 1, parts);
}

constexpr int kWeighing = 512;

/// Sums of the weights of each row's choices; a warp has a list of its own.
__global__ void __launch_bounds__(kWeighing, 2)
    importance_kernel(int64_t count, int rows, const int32_t* choices, const float* weights, bool in_shared, Parts parts,
                      unsigned* zeros, Variation then, Report report) {
  constexpr int kAhead = 4;
  const int bits = bits_below(rows);
  const auto lane = static_cast<int>(threadIdx.x % 32), warps = static_cast<int>(blockDim.x / 32);
  const auto warp = static_cast<int>(threadIdx.x / 32);
  auto* shared = reinterpret_cast<double*>(shared_memory());
  double* sums = in_shared ? shared + warp * rows : parts.sums + int64_t{blockIdx.x} * rows;
  for (int e = lane; e < rows; e += 32) sums[e] = 0;
  __syncwarp();
  const int64_t step = int64_t{gridDim.x} * warps * 32;
  for (int64_t first = (int64_t{blockIdx.x} * warps + warp) * 32; first < count; first += kAhead * step) {
    int here[kAhead];
    float values[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const int64_t at = first + u * step + lane;
      here[u] = at < count ? choices[at] : -1;
      values[u] = at < count ? weights[at] : 0.0f;
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (first + u * step >= count) break;
      const int choice = here[u] != -1 && report.checked(Data::choices, here[u], rows) ? here[u] : -1;
      add_at(sums, choice, lanes_with(choice, bits), choice < 0 ? 0.0 : static_cast<double>(values[u]), lane);
    }
  }
  if (in_shared) write_part(shared, warps, rows, parts);
  if (zeros) finish_last(rows, parts, zeros, then);
  else if (!in_shared && blockIdx.x == 0 && lane == 0) *parts.done = 0;
}

}  // namespace

void run(const BalanceLoss& b, const Context& context) {
  const auto* scores = context.at<const float>(b.scores);
  const auto* padding = context.at<const int32_t>(b.padding);
  const int64_t tokens = b.rows == 0 ? 0 : b.tokens;
  const Balance then{context.at<const float>(b.counts), context.at<float>(b.balance), b.factor, b.tokens, padding,
                     loss_of(b.loss, b.total, b.weight, context)};
  with_row(b.rows, {scores}, [&](auto n, auto v, auto g) {
    constexpr int kWarpsOfSum = kSumming<n()> / 32;
    const Parts parts = parts_for_last(part_blocks(tokens, b.rows, kWarpsOfSum), b.rows, context);
    const size_t bytes = n() == 0 ? 0 : static_cast<size_t>(kWarpsOfSum * b.rows) * sizeof(double);
    allow(probabilities_kernel<n(), v(), g()>, bytes);
    LAUNCH(context.stream, parts.blocks, kSumming<n()>, bytes, (probabilities_kernel<n(), v(), g()>), b.kind, tokens,
           static_cast<int>(b.rows), scores, padding, parts, context.scratch.zeros(), then);
    if (!kLast<n()>) finish(b.rows, parts, then, context);
  });
}

void run(const ZLoss& z, const Context& context) {
  const auto* logits = context.at<const float>(z.logits);
  const auto* padding = context.at<const int32_t>(z.padding);
  const int64_t tokens = z.rows == 0 ? 0 : z.tokens;
  const Parts parts = parts_for(part_blocks(tokens, 1), 1, context);
  with_row(z.rows, {logits}, [&](auto n, auto v, auto g) {
    LAUNCH(context.stream, parts.blocks, kThreads, 0, (z_kernel<n(), v(), g()>), tokens, static_cast<int>(z.rows), logits,
           padding, parts);
  });
  finish(1, parts, Mean{z.tokens, padding, loss_of(z.loss, z.total, z.weight, context)}, context);
}

void run(const ImportanceLoss& i, const Context& context) {
  const int64_t count = i.tokens * i.k;
  const bool in_shared = i.rows <= 1024;
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(count, 2 * kWeighing), 1, 264));
  const Parts parts = parts_for_last(blocks, i.rows, context);
  const bool once = i.rows <= kLastThreads;
  const Variation then{context.at<float>(i.importance), true, loss_of(i.loss, i.total, i.weight, context)};
  const size_t bytes = in_shared ? static_cast<size_t>(kWeighing / 32 * i.rows) * sizeof(double) : 0;
  allow(importance_kernel, bytes);
  LAUNCH(context.stream, blocks, in_shared ? kWeighing : 32, bytes, importance_kernel, count, static_cast<int>(i.rows),
         context.at<const int32_t>(i.choices), context.at<const float>(i.weights), in_shared, parts,
         once ? context.scratch.zeros() : nullptr, then, context.report());
  if (!once) finish(i.rows, parts, then, context);
}

}  // namespace schemoe::cuda
