// Products that cuBLASLt does not do: factors of two types (the gate of a bfloat16 layer) and shapes
// that it has no algorithm for. float32 sums in a fixed order.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;
constexpr int kDotRows = 4;
constexpr int kDotColumns = 8;

struct Sizes {
  int64_t m, n, k;
  float alpha, beta;
};

/// A factor read as op(X)[i, j].
template <class T>
struct Factor {
  const T* data;
  int64_t row, column, stride;
  __device__ float at(int64_t i, int64_t j) const { return to_float(data[i * row + j * column]); }
};

/// Destination of the sums, and their epilogue.
template <class T>
struct Result {
  T* data;
  int64_t ld, stride;
  const T* bias;
  int64_t bias_stride;
  bool relu;
  __device__ void put(const Sizes& s, int64_t group, int64_t row, int64_t column, float sum) const {
    T* to = data + group * stride + row * ld + column;
    float value = s.alpha * sum;
    if (s.beta != 0) value += s.beta * to_float(*to);
    if (bias) value += to_float(bias[group * bias_stride + column]);
    if (relu && value <= 0) value = 0;
    from_float(*to, value);
  }
  /// Whether sums are written as they are, times alpha.
  __device__ bool plain(const Sizes& s) const { return s.beta == 0 && !bias && !relu; }
};

/// Both factors run along k in memory: a warp has kDotRows x kDotColumns sums, its lanes share k.
template <class A, class B, class C, int V>
__global__ void __launch_bounds__(32 * kWarps)
    dot_kernel(Sizes s, Factor<A> a, Factor<B> b, Result<C> c) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t i0 = (int64_t{blockIdx.x} * kWarps + threadIdx.x / 32) * kDotRows;
  const int64_t j0 = int64_t{blockIdx.y} * kDotColumns;
  if (i0 >= s.m) return;
  const A* left = a.data + blockIdx.z * a.stride;
  const B* right = b.data + blockIdx.z * b.stride;
  float sums[kDotRows][kDotColumns] = {};
  for (int64_t k = lane * V; k < s.k; k += 32 * V) {
    float u[kDotRows][V], v[kDotColumns][V];
    // Rows beyond the last repeat it, and are not written.
#pragma unroll
    for (int i = 0; i < kDotRows; ++i) load(u[i], left + min(i0 + i, s.m - 1) * a.row + k);
#pragma unroll
    for (int j = 0; j < kDotColumns; ++j) load(v[j], right + min(j0 + j, s.n - 1) * b.column + k);
#pragma unroll
    for (int e = 0; e < V; ++e) {
#pragma unroll
      for (int i = 0; i < kDotRows; ++i) {
#pragma unroll
        for (int j = 0; j < kDotColumns; ++j) sums[i][j] = __fmaf_rn(u[i][e], v[j][e], sums[i][j]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kDotRows; ++i) {
#pragma unroll
    for (int j = 0; j < kDotColumns; ++j) {
      const float sum = warp_sum(sums[i][j]);
      if (lane == (i * kDotColumns + j) % 32 && i0 + i < s.m && j0 + j < s.n) {
        c.put(s, blockIdx.z, i0 + i, j0 + j, sum);
      }
    }
  }
}

constexpr int kThreads = 128;
constexpr int kRows = 8;
constexpr int kColumns = 4;

/// Any strides: a thread has kRows x kColumns sums over a part of k. kWide: its columns are neighbours
/// in B and C, and are read and written together.
template <class A, class B, class C, bool kWide>
__global__ void __launch_bounds__(kThreads)
    strips_kernel(Sizes s, int64_t groups, int64_t parts, Factor<A> a, Factor<B> b, Result<C> c,
                  float* partial) {
  const int64_t group = blockIdx.z / parts, part = blockIdx.z - group * parts;
  const int64_t strips = (s.m + kRows - 1) / kRows;
  constexpr int kStep = kWide ? 1 : kThreads;
  const int64_t j0 = int64_t{blockIdx.x} * kThreads * kColumns + threadIdx.x * (kWide ? kColumns : 1);
  const int64_t each = (s.k + parts - 1) / parts;
  const int64_t begin = part * each, end = min(begin + each, s.k);
  a.data += group * a.stride;
  b.data += group * b.stride;
  for (int64_t strip = blockIdx.y; strip < strips; strip += gridDim.y) {
    const int64_t i0 = strip * kRows;
    float sums[kRows][kColumns] = {};
#pragma unroll 4
    for (int64_t k = begin; k < end; ++k) {
      float u[kRows], v[kColumns];
#pragma unroll
      for (int i = 0; i < kRows; ++i) u[i] = a.at(min(i0 + i, s.m - 1), k);
      if constexpr (kWide) {
        load(v, b.data + k * b.row + min(j0, s.n - kColumns));
      } else {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) v[j] = b.at(k, min(j0 + j * kStep, s.n - 1));
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) sums[i][j] = __fmaf_rn(u[i], v[j], sums[i][j]);
      }
    }
    if (kWide && !partial && c.plain(s)) {
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        if (i0 + i >= s.m || j0 >= s.n) continue;
#pragma unroll
        for (int j = 0; j < kColumns; ++j) sums[i][j] *= s.alpha;
        store(c.data + group * c.stride + (i0 + i) * c.ld + j0, sums[i]);
      }
      continue;
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const int64_t row = i0 + i, column = j0 + j * kStep;
        if (row >= s.m || column >= s.n) continue;
        if (partial) partial[((part * groups + group) * s.m + row) * s.n + column] = sums[i][j];
        else c.put(s, group, row, column, sums[i][j]);
      }
    }
  }
}

template <class C>
__global__ void __launch_bounds__(256)
    parts_kernel(Sizes s, int64_t groups, int64_t parts, const float* partial, Result<C> c) {
  const int64_t count = groups * s.m * s.n;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    float sum = 0;
    for (int64_t part = 0; part < parts; ++part) sum += partial[part * count + i];
    const int64_t row = i / s.n, group = row / s.m;
    c.put(s, group, row - group * s.m, i - row * s.n, sum);
  }
}

template <class C>
__global__ void __launch_bounds__(256) scale_kernel(Sizes s, int64_t groups, Result<C> c) {
  const int64_t count = groups * s.m * s.n;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    const int64_t row = i / s.n, group = row / s.m;
    c.put(s, group, row - group * s.m, i - row * s.n, 0.0f);
  }
}

Sizes sizes_of(const Gemm& g) {
  return {g.m, g.n, g.k, static_cast<float>(g.alpha), static_cast<float>(g.beta)};
}

template <class C>
Result<C> result_of(const Gemm& g, const Context& context) {
  return {context.at<C>(g.c.view), g.c.ld, g.c.stride, context.at<const C>(g.bias), g.bias_stride, g.relu};
}

/// Parts of k that give the GPU enough to do; fixed for a shape.
int64_t parts_of(const Gemm& g) {
  constexpr int64_t kEnough = 528, kLeast = 64;
  const int64_t blocks = ceil_div(g.n, kThreads * kColumns) * ceil_div(g.m, kRows) * g.groups;
  return std::clamp<int64_t>(std::min(kEnough / blocks, g.k / kLeast), 1, 64);
}

template <class A, class B, class C>
void run_types(const Gemm& g, const Context& context) {
  const Sizes sizes = sizes_of(g);
  const Factor<A> a{context.at<const A>(g.a.view), g.trans_a ? 1 : g.a.ld, g.trans_a ? g.a.ld : 1, g.a.stride};
  const Factor<B> b{context.at<const B>(g.b.view), g.trans_b ? 1 : g.b.ld, g.trans_b ? g.b.ld : 1, g.b.stride};
  const Result<C> c = result_of<C>(g, context);
  if (g.groups > 65535) fail(SCHEMOE_UNSUPPORTED, g.groups, " groups of a product; there can be 65535");
  const auto groups = static_cast<unsigned>(g.groups);
  if (!g.trans_a && g.trans_b && g.n <= 65535 * kDotColumns) {
    constexpr int kWide = 4;
    const dim3 grid(grid_of(ceil_div(g.m, kDotRows * kWarps)), static_cast<unsigned>(ceil_div(g.n, kDotColumns)), groups);
    const auto fit = [](const void* data, const Matrix& m) {
      return aligned(data) && m.ld % kWide == 0 && m.stride % kWide == 0;
    };
    if (g.k % kWide == 0 && fit(a.data, g.a) && fit(b.data, g.b)) {
      LAUNCH(context.stream, grid, 32 * kWarps, 0, (dot_kernel<A, B, C, kWide>), sizes, a, b, c);
    } else {
      LAUNCH(context.stream, grid, 32 * kWarps, 0, (dot_kernel<A, B, C, 1>), sizes, a, b, c);
    }
    return;
  }
  const int64_t parts = std::min<int64_t>(parts_of(g), 65535 / g.groups);
  float* partial = nullptr;
  if (parts > 1) {
    partial = context.scratch.get<float>(static_cast<size_t>(parts * g.groups * g.m * g.n), context.stream);
  }
  const dim3 grid(grid_of(ceil_div(g.n, kThreads * kColumns)),
                  static_cast<unsigned>(std::min<int64_t>(ceil_div(g.m, kRows), 65535)),
                  static_cast<unsigned>(g.groups * parts));
  const auto fit = [](const void* data, const Matrix& m) {
    return aligned(data) && m.ld % kColumns == 0 && m.stride % kColumns == 0;
  };
  if (!g.trans_b && g.n % kColumns == 0 && fit(b.data, g.b) && fit(c.data, g.c)) {
    LAUNCH(context.stream, grid, kThreads, 0, (strips_kernel<A, B, C, true>), sizes, g.groups, parts, a, b, c,
           partial);
  } else {
    LAUNCH(context.stream, grid, kThreads, 0, (strips_kernel<A, B, C, false>), sizes, g.groups, parts, a, b, c,
           partial);
  }
  if (parts > 1) {
    LAUNCH(context.stream, grid_of(ceil_div(g.groups * g.m * g.n, 256)), 256, 0, parts_kernel<C>, sizes, g.groups,
           parts, partial, c);
  }
}

}  // namespace

void run_own(const Gemm& g, const Context& context) {
  with_type(g.dtypes.a, [&](auto a) {
    with_type(g.dtypes.b, [&](auto b) {
      with_type(g.dtype_c, [&](auto c) { run_types<decltype(a), decltype(b), decltype(c)>(g, context); });
    });
  });
}

void scale(const Gemm& g, const Context& context) {
  with_type(g.dtype_c, [&](auto element) {
    using C = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(g.groups * g.m * g.n, 256)), 256, 0, scale_kernel<C>, sizes_of(g),
           g.groups, result_of<C>(g, context));
  });
}

}  // namespace schemoe::cuda
