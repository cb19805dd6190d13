#include "cuda/kernels/place_tokens.h"

#include "cuda/kernels/apart.h"
#include "cuda/kernels/dots.cuh"
#include "cuda/kernels/places.cuh"

namespace schemoe::cuda {

using namespace routing;

namespace {

/// Tokens, and the rows of their choices: those that dot products are taken with, and those that are written.
template <class T>
struct Spread {
  const T* x;
  const T* rows;
  float* dots;
  const int32_t *choices, *positions;
  const float* weights;
  T* out;
  Places places;
  int64_t tokens, columns;
  int32_t k, groups;  // of kAtOnce choices
};

/// Eight sums of 32 lanes at once, each in the order of `warp_sum`: lane i has that of number i / 4 then.
template <int N>
__device__ double sums_of(double (&sum)[N]) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  int step = 16;
#pragma unroll
  for (int half = N / 2; half > 0; half /= 2, step /= 2) {
    const bool upper = lane & step;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const double mine = upper ? sum[i + half] : sum[i], other = upper ? sum[i] : sum[i + half];
      sum[i] = mine + __shfl_xor_sync(kAllLanes, other, step);
    }
  }
  double all = sum[0];
  for (; step > 0; step /= 2) all += __shfl_xor_sync(kAllLanes, all, step);
  return all;
}

/// A warp has kAtOnce choices of a token, whose rows are under way at the same time.
template <class T, int V, int kAtOnce, bool kDots>
__global__ void __launch_bounds__(32 * kWarps) spread_kernel(Spread<T> s, Report report) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const int64_t all = s.tokens * s.groups;
  for (int64_t work = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; work < all; work += int64_t{gridDim.x} * kWarps) {
    const int64_t token = token_of(work, s.groups);
    const auto first = static_cast<int32_t>(work - token * s.groups) * kAtOnce;
    const bool has = lane < kAtOnce && first + lane < s.k;
    const int64_t choice = token * s.k + first + lane;
    int64_t mine = -1;
    float weight = 1.0f;
    if (has) {
      mine = row_of_choice(s.places, s.choices[choice], s.positions[choice], report);
      if (s.weights) weight = s.weights[choice];
    }
    int64_t row[kAtOnce];
    float factor[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      row[u] = __shfl_sync(kAllLanes, mine, u);
      factor[u] = __shfl_sync(kAllLanes, weight, u);
    }
    double sum[kAtOnce] = {};
    const T* from = s.x + token * s.columns;
#pragma unroll 2
    for (int64_t j = lane * V; j < s.columns; j += 32 * V) {
      Raw<T, V> own, other[kDots ? kAtOnce : 1];
      own.read(from + j);
      if constexpr (kDots) {
#pragma unroll
        for (int u = 0; u < kAtOnce; ++u) other[u].read(s.rows + (row[u] < 0 ? 0 : row[u]) * s.columns + j);
      }
      float v[V];
      own.unpack(v);
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (row[u] < 0) continue;
        T* to = s.out + row[u] * s.columns + j;
        if (s.weights) {
          float scaled[V];
#pragma unroll
          for (int i = 0; i < V; ++i) scaled[i] = v[i] * factor[u];
          store(to, scaled);
        } else {
          own.write(to);
        }
        if constexpr (kDots) {
          float w[V];
          other[u].unpack(w);
          add_products<T>(sum[u], v, w);
        }
      }
    }
    if constexpr (kDots) {
      const double total = sums_of(sum);
      constexpr int kLanes = 32 / kAtOnce;
      const int number = lane / kLanes;
      if (lane % kLanes == 0 && first + number < s.k) s.dots[token * s.k + first + number] = static_cast<float>(total);
    }
  }
}

/// Fewer warps than this leave multiprocessors idle.
constexpr int64_t kEnoughWarps = 2048;

template <class T, int V, bool kDots>
void launch(Spread<T> s, const Context& context) {
  const auto with = [&](auto at_once) {
    constexpr int kAtOnce = decltype(at_once)::value;
    s.groups = static_cast<int32_t>(ceil_div(s.k, kAtOnce));
    LAUNCH(context.stream, grid_of(ceil_div(s.tokens * s.groups, kWarps)), 32 * kWarps, 0,
           (spread_kernel<T, V, kAtOnce, kDots>), s, context.report());
  };
  const auto worth = [&](int64_t at_once) { return s.k > at_once / 2 && s.tokens * ceil_div(s.k, at_once) >= kEnoughWarps; };
  if (worth(8)) with(std::integral_constant<int, 8>{});
  else if (worth(4)) with(std::integral_constant<int, 4>{});
  else if (worth(2)) with(std::integral_constant<int, 2>{});
  else with(std::integral_constant<int, 1>{});
}

template <class T>
Spread<T> spread_of(const PlaceTokens& p, const Context& context) {
  return {context.at<const T>(p.x), nullptr, nullptr, context.at<const int32_t>(p.choices),
          context.at<const int32_t>(p.positions), context.at<const float>(p.weights), context.at<T>(p.out),
          places_of(p.rows, context), p.tokens, p.columns, static_cast<int32_t>(p.k), 1};
}

}  // namespace

void run(const PlaceTokens& p, const Context& context) {
  if (p.tokens * p.k == 0 || p.columns == 0) return;
  with_vectors(p.dtype, p.columns, {context.at<void>(p.x), context.at<void>(p.out)}, [&](auto element, auto v) {
    using T = decltype(element);
    launch<T, v(), false>(spread_of<T>(p, context), context);
  });
}

size_t run_dots_and_places(std::span<const schemoe::Call> calls, const Context& context) {
  if (calls.size() < 2) return 0;
  const auto* dots = std::get_if<RowDot>(&calls[0].arguments);
  const auto* place = std::get_if<PlaceTokens>(&calls[1].arguments);
  if (!dots || !place || dots->tokens * dots->k == 0 || dots->columns == 0) return 0;
  const RowDot& d = *dots;
  const PlaceTokens& p = *place;
  const auto same = [&](const View& a, const View& b) { return context.at<void>(a) == context.at<void>(b); };
  const bool alike = d.dtype == p.dtype && d.tokens == p.tokens && d.columns == p.columns && d.k == p.k &&
                     d.experts == p.experts && same(d.a, p.x) && same(d.choices, p.choices) &&
                     same(d.positions, p.positions) && d.rows.table == p.rows.table &&
                     std::ranges::equal(d.rows.bounds, p.rows.bounds) && std::ranges::equal(d.rows.firsts, p.rows.firsts);
  if (!alike) return 0;
  const int64_t bytes = p.rows.count() * p.columns * element_bytes(p.dtype), of_tokens = p.tokens * p.columns * element_bytes(p.dtype);
  const int64_t of_choices = p.tokens * p.k * 4;
  const void *out = context.at<void>(p.out), *weights = context.at<void>(p.weights), *result = context.at<void>(d.out);
  // What one of both writes the other does not read.
  if (!are_apart(out, bytes, context.at<void>(d.b), bytes) || !are_apart(out, bytes, context.at<void>(d.a), of_tokens) ||
      !are_apart(out, bytes, result, of_choices) || (weights && !are_apart(weights, of_choices, result, of_choices))) {
    return 0;
  }
  size_t ran = 0;
  with_vectors(d.dtype, d.columns, {context.at<void>(d.a), context.at<void>(d.b), out}, [&](auto element, auto v) {
    using T = decltype(element);
    if constexpr (v() > 1) {
      auto spread = spread_of<T>(p, context);
      spread.rows = context.at<const T>(d.b);
      spread.dots = context.at<float>(d.out);
      launch<T, v(), true>(spread, context);
      ran = 2;
    }
  });
  return ran;
}

}  // namespace schemoe::cuda
