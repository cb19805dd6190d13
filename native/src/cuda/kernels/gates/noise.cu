// Noise on logits, and the loss on the loads that it makes the gate expect.
#include "cuda/kernels/gates/best.cuh"
#include "cuda/kernels/gates/means.cuh"
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// The k-th and the (k + 1)-th of a row: the bound of each expert is the k-th largest of the others.
struct Bounds {
  int inner, outer;
  float at_inner, at_outer;
  uint32_t key_outer;
  /// Whether an expert is among the first k, and so has the outer bound.
  __device__ bool has_outer(int e, float logit) const {
    const uint32_t key = key_of(logit);
    return key > key_outer || (key == key_outer && e < outer);
  }
  __device__ float bound(int e, float logit) const { return has_outer(e, logit) ? at_outer : at_inner; }
};

template <int N, int V, int G>
__device__ Bounds bounds_of(int rows, int k, int lane, Slots& slots, uint32_t* scratch, const float* logits,
                            Own<N, V, float, G>& z) {
  Own<N, V, uint32_t, G> keys;
  keys.place(scratch);
  set_keys(rows, lane, keys, [](int, float logit) { return key_of(logit); }, z);
  int inner = 0, outer = 0;
  if (k < kMostFirst) {
    const Firsts<G> firsts = find_first(rows, lane, k + 1, slots, keys, NoSecond{});
    inner = firsts.at(k - 1), outer = firsts.at(k);
  } else {
    for (int c = 0; c < k; ++c) inner = take_first(rows, lane, keys, NoSecond{});
    outer = take_first(rows, lane, keys, NoSecond{});
  }
  const float at_inner = logits[inner], at_outer = logits[outer];
  return {inner, outer, at_inner, at_outer, key_of(at_outer)};
}

/// From one group's list to the next: lists of two groups that a half of a warp has lie in different banks.
template <int G>
__host__ __device__ constexpr int64_t list_stride(int64_t rows) {
  return rows + (G < 16 ? G : 0);
}

/// Sums over tokens of the probability that an expert is chosen, of each group of lanes in a list of its own, where lanes
/// that have V numbers side by side find the first of each side by side. A block has one warp where rows stay in memory.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    loads_kernel(int64_t tokens, int rows, int k, const float* clean, const float* spread, const float* logits,
                 const int32_t* padding, Parts parts, uint32_t* scratch) {
  __shared__ Slots slots[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  auto* shared = reinterpret_cast<double*>(shared_memory());
  double* sums = N == 0 ? parts.sums + int64_t{blockIdx.x} * rows : shared + threadIdx.x / G * list_stride<G>(rows);
  const int each = rows / V;
  for (int e = lane; e < rows; e += G) sums[e] = 0;
  __syncwarp();
  for (RowOf<G> row(tokens); row.any(); row.next()) {
    const int64_t at = row.index * rows;
    Own<N, V, float, G> all;
    all.load(logits + at, rows, lane);
    const Bounds bounds = bounds_of(rows, k, lane, slots[warp], scratch + int64_t{blockIdx.x} * rows, logits + at, all);
    const bool counts = row.has && !(padding && padding[row.index] != 0);
    // Not unrolled: its instructions are many.
#pragma unroll 1
    for (int e = lane * V; counts && e < rows; e += G * V) {
      Own<V, V> z, c, s;
      z.load(logits + at + e, V, 0), c.load(clean + at + e, V, 0), s.load(spread + at + e, V, 0);
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const float u = __fdividef(c.values[j] - bounds.bound(e + j, z.values[j]), softplus(s.values[j]));
        sums[e / V + j * each] += 0.5f * erfcf(-u * 0.70710678118654752f);
      }
    }
    __syncwarp();
  }
  if constexpr (N == 0) {
    if (blockIdx.x == 0 && lane == 0) *parts.done = 0;
  } else {
    write_part(shared, kThreads / G, list_stride<G>(rows), rows, parts, [=](int64_t e) { return e / V + e % V * each; });
  }
}

__global__ void __launch_bounds__(256)
    add_noise_kernel(int64_t count, int64_t fours, const float4* clean, const float4* spread, const float4* noise,
                     float4* logits) {
  const int64_t threads = int64_t{gridDim.x} * blockDim.x, first = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (int64_t i = first; i < fours; i += threads) {
    const float4 c = clean[i], s = spread[i], n = noise[i];
    logits[i] = make_float4(c.x + n.x * softplus(s.x), c.y + n.y * softplus(s.y), c.z + n.z * softplus(s.z),
                            c.w + n.w * softplus(s.w));
  }
  const auto *c = reinterpret_cast<const float*>(clean), *s = reinterpret_cast<const float*>(spread);
  const auto* n = reinterpret_cast<const float*>(noise);
  for (int64_t i = 4 * fours + first; i < count; i += threads) {
    reinterpret_cast<float*>(logits)[i] = c[i] + n[i] * softplus(s[i]);
  }
}

struct Noise {
  const float *clean, *spread, *noise, *logits, *slopes;
  const int32_t* padding;
  float *d_logits, *d_spread;
};

template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    noise_grad_kernel(int64_t tokens, int rows, int k, Noise data, uint32_t* scratch) {
  __shared__ Slots slots[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  uint32_t* keys = scratch + (int64_t{blockIdx.x} * kWarps + warp) * rows;
  for (RowOf<G> row(tokens); row.any(); row.next()) {
    const int64_t at = row.index * rows;
    Bounds bounds{-1, -1, 0, 0, 0};
    if (data.slopes) {
      Own<N, V, float, G> all;
      all.load(data.logits + at, rows, lane);
      bounds = bounds_of(rows, k, lane, slots[warp], keys, data.logits + at, all);
    }
    const bool padded = data.padding && data.padding[row.index] != 0;  // a part of no load
    Sum<N> inner = 0, outer = 0;  // what the bounds are moved by
    float kept[2];                // of the bounds themselves, which are written when all of the row is known
    bool has[2] = {};
    // Not unrolled: its instructions are many.
#pragma unroll 1
    for (int e = lane * V; e < rows; e += G * V) {
      Own<V, V> z{}, c{}, s, n, d, to, slopes{};
      s.load(data.spread + at + e, V, 0), n.load(data.noise + at + e, V, 0), d.load(data.d_logits + at + e, V, 0);
      if (data.slopes) {
        z.load(data.logits + at + e, V, 0), c.load(data.clean + at + e, V, 0), slopes.load(data.slopes + e, V, 0);
      }
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const float width = s.values[j], tail = tail_of(width);
        float of_clean = 0, of_deviation = 0;
        if (data.slopes) {
          // d Phi(u) = phi(u) du
          const float inverse = 1 / softplus(width, tail);
          const bool has_outer = bounds.has_outer(e + j, z.values[j]);
          const float u = (c.values[j] - (has_outer ? bounds.at_outer : bounds.at_inner)) * inverse;
          of_clean = padded ? 0.0f : slopes.values[j] * expf(-0.5f * u * u) * 0.39894228040143268f * inverse;
          of_deviation = -of_clean * u;
          (has_outer ? outer : inner) += of_clean;
        }
        if (e + j == bounds.inner || e + j == bounds.outer) {
          const int which = e + j == bounds.outer;
          kept[which] = of_clean, has[which] = true;
          to.values[j] = of_deviation;
          continue;
        }
        to.values[j] = (of_deviation + d.values[j] * n.values[j]) * sigmoid(width, tail);
        d.values[j] += of_clean;
      }
      if (!row.has) continue;
      d.store(data.d_logits + at + e, V, 0);
      to.store(data.d_spread + at + e, V, 0);
    }
    if (!data.slopes) continue;
    const auto of_inner = static_cast<float>(group_sum<G>(static_cast<double>(inner)));
    const auto of_outer = static_cast<float>(group_sum<G>(static_cast<double>(outer)));
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (!has[i] || !row.has) continue;
      const int64_t bound = at + (i == 0 ? bounds.inner : bounds.outer);
      const float noisy = data.d_logits[bound] - (i == 0 ? of_inner : of_outer);
      data.d_logits[bound] = noisy + kept[i];
      data.d_spread[bound] = (data.d_spread[bound] + noisy * data.noise[bound]) * sigmoid(data.spread[bound]);
    }
    __syncwarp();
  }
}

}  // namespace

void run(const LoadLoss& l, const Context& context) {
  const auto *clean = context.at<const float>(l.clean), *spread = context.at<const float>(l.spread);
  const auto* logits = context.at<const float>(l.logits);
  // Where rows stay in memory each block has one warp, and room for its keys behind the parts.
  const bool in_memory = l.rows > 1024;
  const unsigned blocks = part_blocks(l.tokens, l.rows);
  const int64_t keys = in_memory ? blocks * l.rows : 0;
  context.scratch.get<double>(static_cast<size_t>((blocks + 1) * l.rows + 1 + keys), context.stream);
  const Parts parts = parts_for(blocks, l.rows, context);
  auto* scratch = reinterpret_cast<uint32_t*>(parts.done + 2);
  with_row(l.rows, {clean, spread, logits}, [&](auto n, auto v, auto g) {
    const size_t bytes = n() == 0 ? 0 : static_cast<size_t>(kThreads / g() * list_stride<g()>(l.rows)) * sizeof(double);
    LAUNCH(context.stream, blocks, n() == 0 ? 32 : kThreads, bytes, (loads_kernel<n(), v(), g()>), l.tokens,
           static_cast<int>(l.rows), static_cast<int>(l.k), clean, spread, logits,
           context.at<const int32_t>(l.padding), parts, scratch);
  });
  finish(l.rows, parts,
         Variation{context.at<float>(l.slopes), false, loss_of(l.loss, l.total, l.weight, context)}, context);
}

void run(const AddNoise& a, const Context& context) {
  if (a.count == 0) return;
  const auto *clean = context.at<const float>(a.clean), *spread = context.at<const float>(a.spread);
  const auto* noise = context.at<const float>(a.noise);
  auto* logits = context.at<float>(a.logits);
  const bool wide = aligned(clean) && aligned(spread) && aligned(noise) && aligned(logits);
  const auto four = [](const float* data) { return reinterpret_cast<const float4*>(data); };
  LAUNCH(context.stream, grid_of(ceil_div(a.count, 1024)), 256, 0, add_noise_kernel, a.count, wide ? a.count / 4 : 0,
         four(clean), four(spread), four(noise), reinterpret_cast<float4*>(logits));
}

void run(const NoiseGrad& n, const Context& context) {
  if (n.tokens == 0 || n.rows == 0) return;
  const Noise data{context.at<const float>(n.clean),  context.at<const float>(n.spread),
                   context.at<const float>(n.noise),  context.at<const float>(n.logits),
                   context.at<const float>(n.slopes), context.at<const int32_t>(n.padding),
                   context.at<float>(n.d_logits), context.at<float>(n.d_spread)};
  with_row(n.rows, {data.clean, data.spread, data.noise, data.logits, data.slopes, data.d_logits, data.d_spread},
           [&](auto m, auto v, auto g) {
    const unsigned grid = row_blocks(n.tokens, n.rows, g());
    uint32_t* scratch = nullptr;
    if (m() == 0) scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * n.rows), context.stream);
    LAUNCH(context.stream, grid, kThreads, 0, (noise_grad_kernel<m(), v(), g()>), n.tokens,
           static_cast<int>(n.rows), static_cast<int>(n.k), data, scratch);
  });
}

}  // namespace schemoe::cuda
