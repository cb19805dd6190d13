// From gradients of a gate's weights and losses to that of its logits: a warp a row.
#include "cuda/kernels/gates/means.cuh"
#include "cuda/kernels/gates/scatter.cuh"
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

struct Shape {
  int64_t tokens;
  int rows, k;
  Scores kind;
  bool normalize;
  double scale, z_slope;  // of the square of a row's logsumexp
  __device__ bool of_chosen() const { return kind == Scores::softmax_of_chosen; }
  __device__ bool divided() const { return of_chosen() || (normalize && k > 1); }
};

/// Of one token.
struct Row {
  const float* logits;
  const float* scores;
  const int32_t* choices;
  const float* d_weights;
  /// In [-1, rows), whatever the buffer holds.
  __device__ int choice(const Shape& g, int c) const {
    if (c >= g.k) return -1;
    const int e = choices[c];
    return e >= 0 && e < g.rows ? e : -1;
  }
};

/// Choices that a lane has room for.
template <int G>
inline constexpr int kHeldChoices = G < 8 ? 2 : 1;

/// Adds to `sums` of a row, of which the warp's first is `first`, what the weights pass on to the scores of the chosen,
/// or for a softmax of the chosen to their logits. In double: where the chosen have all of the sum, slopes are
/// differences of nearly equal numbers, divided by that sum.
template <int G>
__device__ void add_weights_grad(const Shape& g, int lane, const Row& row, const float* importance, float* first,
                                 int64_t offset, const Report& report) {
  for (int c = lane; c < g.k; c += G) {
    if (row.choices[c] != -1) report.checked(Data::choices, row.choices[c], g.rows);
  }
  float most = -INFINITY;
  for (int c = lane; g.of_chosen() && c < g.k; c += G) {
    if (const int e = row.choice(g, c); e >= 0) most = fmaxf(most, row.logits[e]);
  }
  most = group_max<G>(most);
  const auto part = [&](int e) { return e < 0 ? 0.0f : g.of_chosen() ? expf(row.logits[e] - most) : row.scores[e]; };
  const auto slope = [&](int c, int e) {
    const double d = e < 0 ? 0.0 : row.d_weights[c];
    return e < 0 ? 0.0 : g.scale * (importance ? d + importance[e] : d);
  };
  // Divided by their sum S: w_j = s_j / S, so ds_j = (dw_j - sum_i w_i dw_i) / S.
  double inverse = 1, mean = 0;
  if (g.divided()) {
    double sum = 0, dot = 0;
    for (int c = lane; c < g.k; c += G) {
      const int e = row.choice(g, c);
      sum += part(e);
      dot += part(e) * slope(c, e);
    }
    inverse = 1 / (group_sum<G>(sum) + kTiny);
    mean = group_sum<G>(dot) * inverse;
  }
  for (int base = 0; base < g.k; base += G) {
    const int c = base + lane, e = row.choice(g, c);
    double d = e < 0 ? 0.0 : (slope(c, e) - mean) * inverse;
    // Exponentials are their own slopes.
    if (g.of_chosen()) d *= part(e);
    add_at(first, e < 0 ? -1 : static_cast<int>(offset) + e, static_cast<float>(d), static_cast<int>(threadIdx.x % 32));
  }
}

/// The same where the lanes of a row have room for all of its choices, which are then read once.
template <int G>
__device__ void add_held_grad(const Shape& g, int lane, const Row& row, const float* importance, float* first,
                              int64_t offset, const Report& report) {
  constexpr int kEach = kHeldChoices<G>;
  int chosen[kEach];
  float parts[kEach], most = -INFINITY;
  double slopes[kEach], sum = 0, dot = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int c = i * G + lane, e = c < g.k ? row.choices[c] : -1;
    chosen[i] = e == -1 || !report.checked(Data::choices, e, g.rows) ? -1 : e;
    const bool has = chosen[i] >= 0;
    parts[i] = has ? (g.of_chosen() ? row.logits : row.scores)[e] : 0.0f;
    const double d = has ? row.d_weights[c] : 0.0;
    slopes[i] = has ? g.scale * (importance ? d + importance[e] : d) : 0.0;
    if (has) most = fmaxf(most, parts[i]);
  }
  if (g.of_chosen()) {
    most = group_max<G>(most);
#pragma unroll
    for (int i = 0; i < kEach; ++i) parts[i] = chosen[i] < 0 ? 0.0f : expf(parts[i] - most);
  }
  double inverse = 1, mean = 0;
  if (g.divided()) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) sum += parts[i], dot += parts[i] * slopes[i];
    inverse = 1 / (group_sum<G>(sum) + kTiny);
    mean = group_sum<G>(dot) * inverse;
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (i > 0 && g.k <= i * G) break;
    double d = chosen[i] < 0 ? 0.0 : (slopes[i] - mean) * inverse;
    if (g.of_chosen()) d *= parts[i];
    add_at(first, chosen[i] < 0 ? -1 : static_cast<int>(offset) + chosen[i], static_cast<float>(d),
           static_cast<int>(threadIdx.x % 32));
  }
}

template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    route_grad_kernel(Shape g, const float* logits, const float* scores, const int32_t* choices, const float* d_weights,
                      const float* importance, const float* balance, float* d_logits, float* scratch,
                      const int32_t* padding, const double* others, Report report) {
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  // Of the row at hand: what comes by way of the chosen.
  const int64_t offset = threadIdx.x % 32 / G * stride_of(g.rows);
  float* first = N > 0 ? reinterpret_cast<float*>(shared_memory()) + warp * (32 / G) * stride_of(g.rows)
                       : scratch + (int64_t{blockIdx.x} * kWarps + warp) * g.rows;
  float* sums = first + offset;
  // Exponentials take the place of what they are made of, unless that is needed or lies in memory.
  const bool keeps_logits = N == 0 || g.kind == Scores::sqrt_softplus;
  const bool needs_logits = g.kind == Scores::sqrt_softplus || g.z_slope != 0;
  for (RowOf<G> at(g.tokens); at.any(); at.next()) {
    const int64_t token = at.index;
    const Row row{logits + token * g.rows, scores + token * g.rows, choices + token * g.k, d_weights + token * g.k};
    Own<N, V, float, G> z, s, d, slopes, own;
    s.load(row.scores, g.rows, lane);
    if (needs_logits) z.load(row.logits, g.rows, lane);
    else z = s;
    if (balance) slopes.load(balance, g.rows, lane);
    else slopes = s;
    if constexpr (N == 0) {
      for (int e = lane; e < g.rows; e += 32) sums[e] = 0;
    } else {
#pragma unroll
      for (float& value : own.values) value = 0;
      own.store(sums, g.rows, lane);
    }
    __syncwarp();
    if (g.k <= kHeldChoices<G> * G) add_held_grad<G>(g, lane, row, importance, first, offset, report);
    else add_weights_grad<G>(g, lane, row, importance, first, offset, report);
    own.load(sums, g.rows, lane);

    float z_most = 0, z_inverse = 0, z_slope = 0;
    if (g.z_slope != 0) {
      z_most = largest(g.rows, lane, z);
      Sum<N> sum = 0;
      each(g.rows, lane, [&](int, float& logit) {
        const float x = expf(logit - z_most);
        sum += x;
        if (!keeps_logits) logit = x;
      }, z);
      sum = group_sum<G>(sum);
      z_inverse = static_cast<float>(1 / sum);
      z_slope = static_cast<float>(others ? g.z_slope * g.tokens / *others : g.z_slope) * (z_most + logf(static_cast<float>(sum)));
    }
    // The probabilities of a loss on balance: the scores, their shares of the sum, or their softmax.
    float mean = 0, inverse = 0, most = 0;
    if (balance && g.kind != Scores::softmax) {
      Sum<N> dot = 0;
      if (g.of_chosen()) {
        most = largest(g.rows, lane, s);
        Sum<N> sum = 0;
        each(g.rows, lane, [&](int, float& score, float& slope) {
          const float x = expf(score - most);
          sum += x;
          dot += slope * x;
          if constexpr (N > 0) score = x;
        }, s, slopes);
        inverse = static_cast<float>(1 / group_sum<G>(sum));
        mean = static_cast<float>(group_sum<G>(dot) * inverse);
      } else {
        each(g.rows, lane, [&](int, float& score, float& slope) { dot += slope * score; }, s, slopes);
        const auto sum = sum_of(g.rows, lane, s) + kTiny;
        mean = static_cast<float>(group_sum<G>(dot) / sum);
        inverse = static_cast<float>(1 / sum);
      }
    }
    float dot = 0;
    if (g.kind == Scores::softmax) {
      Sum<N> part = 0;
      each(g.rows, lane, [&](int, float& score, float& slope, float& sum) {
        part += score * (balance ? sum + slope : sum);
      }, s, slopes, own);
      dot = static_cast<float>(group_sum<G>(part));
    }
    const bool padded = padding && padding[token] != 0;
    d.place(d_logits + token * g.rows);
    // A kind has a loop of its own: what differs is not asked for each number.
    const auto write = [&](auto slope_of) {
      each(g.rows, lane, [&](int, float& logit, float& score, float& slope, float& sum, float& out) {
        const float to = slope_of(logit, score, slope, sum);
        if (padded) out = 0.0f;
        else if (g.z_slope == 0) out = to;
        else out = to + z_slope * ((keeps_logits ? expf(logit - z_most) : logit) * z_inverse);
      }, z, s, slopes, own, d);
    };
    if (g.of_chosen()) {
      write([&](float, float score, float slope, float sum) {
        return balance ? sum + (N == 0 ? expf(score - most) : score) * inverse * (slope - mean) : sum;
      });
    } else if (g.kind == Scores::softmax) {
      write([&](float, float score, float slope, float sum) { return score * ((balance ? sum + slope : sum) - dot); });
    } else {
      const auto of_score = [&](float slope, float sum) { return balance ? sum + (slope - mean) * inverse : sum; };
      if (g.kind == Scores::sigmoid) {
        write([&](float, float score, float slope, float sum) { return of_score(slope, sum) * score * (1 - score); });
      } else {
        write([&](float logit, float score, float slope, float sum) {
          // where the score is 0 in float32, so is its slope; 0 times what is not finite is NaN
          if (score == 0) return of_score(slope, sum) * 0.0f;
          return g.kind == Scores::relu ? of_score(slope, sum) : of_score(slope, sum) * sigmoid(logit) / (2 * score);
        });
      }
    }
    if (at.has) d.store(d_logits + token * g.rows, g.rows, lane);
    __syncwarp();
  }
}

__global__ void __launch_bounds__(kFinish) others_kernel(const int32_t* padding, int64_t tokens, double* others) {
  const double count = other_tokens(padding, tokens);
  if (threadIdx.x == 0) *others = count;
}

}  // namespace

void run(const RouteGrad& g, const Context& context) {
  if (g.rows == 0 || g.tokens == 0) return;
  const Shape shape{g.tokens, static_cast<int>(g.rows), static_cast<int>(g.k), g.kind, g.normalize, g.scale,
                    2 * g.z_weight / static_cast<double>(g.tokens)};
  const auto *logits = context.at<const float>(g.logits), *scores = context.at<const float>(g.scores);
  auto* d_logits = context.at<float>(g.d_logits);
  const auto* balance = context.at<const float>(g.balance);
  const auto* padding = context.at<const int32_t>(g.padding);
  const int64_t room = g.rows > 1024 ? row_blocks(g.tokens, g.rows, 32) * kWarps * g.rows : 0;
  auto* others = context.scratch.get<double>(static_cast<size_t>(1 + ceil_div(room, 2)), context.stream);
  auto* scratch = reinterpret_cast<float*>(others + 1);
  if (padding && g.z_weight != 0) LAUNCH(context.stream, 1, kFinish, 0, others_kernel, padding, g.tokens, others);
  else others = nullptr;
  with_few_lanes<16>(g.rows, {logits, scores, d_logits, balance}, [&](auto n, auto v, auto lanes) {
    const unsigned grid = row_blocks(g.tokens, g.rows, lanes());
    const size_t bytes = n() == 0 ? 0 : static_cast<size_t>(kThreads / lanes() * stride_of(g.rows)) * sizeof(float);
    LAUNCH(context.stream, grid, kThreads, bytes, (route_grad_kernel<n(), v(), lanes()>), shape, logits, scores,
           context.at<const int32_t>(g.choices), context.at<const float>(g.d_weights),
           context.at<const float>(g.importance), balance, d_logits, scratch, padding, others, context.report());
  });
}

}  // namespace schemoe::cuda
