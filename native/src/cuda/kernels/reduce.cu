// Sums and maxima in fixed order, and constants.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kColumns = 32;
constexpr int kParts = 8;

/// Each of kParts threads of a column sums its rows in double; the parts are added in order.
template <class T>
__global__ void __launch_bounds__(kColumns* kParts)
    column_sum_kernel(const T* x, int64_t ld, int64_t stride, float* out, int64_t out_stride, int64_t groups,
                      int64_t rows, int64_t columns, bool accumulate, const int32_t* ragged) {
  __shared__ double parts[kParts][kColumns];
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  for (int64_t group = blockIdx.y; group < groups; group += gridDim.y) {
    double sum = 0;
    if (column < columns) {
      const int64_t first = ragged ? ragged[groups + 1 + group] : 0;
      const int64_t here = ragged ? ragged[group + 1] - ragged[group] : rows;
      const T* from = x + group * stride + first * ld + column;
#pragma unroll 4
      for (int64_t row = threadIdx.y; row < here; row += kParts) sum += to_float(from[row * ld]);
    }
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
      float* to = out + group * out_stride + column;
      double total = accumulate ? *to : 0.0;
      for (int part = 0; part < kParts; ++part) total += parts[part][threadIdx.x];
      *to = static_cast<float>(total);
    }
    __syncthreads();
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_ranks_kernel(int64_t ranks, int64_t count, int64_t stride, const T* in, T* out) {
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    float sum = 0;
    for (int64_t rank = 0; rank < ranks; ++rank) sum += to_float(in[rank * stride + i]);
    from_float(out[i], sum);
  }
}

constexpr int kWarps = 8;

/// Sums of slices, in units of several values.
template <class T>
struct Slices {
  const int32_t* lines;  // lines of kLine values before each sum, and all of them
  const int32_t* first;  // number in the table with which each sum begins
  const int32_t* table;
  int64_t slices, unit;
  const T *in0, *in1, *in2;
};

/// A warp adds a line of a sum, V values a lane at a time.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps) add_slices_kernel(Slices<T> s, int64_t lines, T* out) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t line = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; line < lines; line += int64_t{gridDim.x} * kWarps) {
    int64_t low = 0;
    for (int64_t high = s.slices; high - low > 1;) {
      const int64_t middle = (low + high) / 2;
      (s.lines[middle] <= line ? low : high) = middle;
    }
    const int32_t* table = s.table + s.first[low];
    const int64_t all = table[0] * s.unit, to = table[1] * s.unit, begin = (line - s.lines[low]) * AddSlices::kLine;
    const int terms = table[2];
    for (int64_t i = begin + lane * V; i < min(begin + AddSlices::kLine, all); i += 32 * V) {
      const auto at = [&](int term) {
        const int32_t number = table[3 + term];
        const T* in = number % 4 == 0 ? s.in0 : number % 4 == 1 ? s.in1 : s.in2;
        return in + number / 4 * s.unit + i;
      };
      float sum[V];
      load(sum, at(0));
      for (int term = 1; term < terms; ++term) {
        float next[V];
        load(next, at(term));
#pragma unroll
        for (int j = 0; j < V; ++j) {
          T rounded;
          from_float(rounded, sum[j] + next[j]);
          sum[j] = to_float(rounded);
        }
      }
      store(out + to + i, sum);
    }
  }
}

__global__ void __launch_bounds__(32) max_kernel(int64_t count, const int32_t* in, int32_t* out) {
  int32_t most = in[0];
  for (int64_t i = threadIdx.x; i < count; i += 32) most = max(most, in[i]);
  most = __reduce_max_sync(kAllLanes, most);
  if (threadIdx.x == 0) *out = most;
}

__global__ void __launch_bounds__(kThreads) fill_kernel(int64_t count, float* out, float value) {
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    out[i] = value;
  }
}

}  // namespace

void run(const ColumnSum& s, const Context& context) {
  const Block& b = s.block;
  if (b.columns == 0 || b.groups == 0) return;
  const dim3 grid(grid_of(ceil_div(b.columns, kColumns)), static_cast<unsigned>(std::min<int64_t>(b.groups, 65535)));
  with_type(b.dtype, [&](auto element) {
    using T = decltype(element);
    LAUNCH(context.stream, grid, dim3(kColumns, kParts), 0, column_sum_kernel<T>, context.at<const T>(s.x.view),
           s.x.ld, s.x.stride, context.at<float>(s.out), s.out_stride, b.groups, b.rows, b.columns, s.accumulate,
           b.ranges.ragged() ? context.bounds : nullptr);
  });
}

void run(const SumRanks& s, const Context& context) {
  if (s.count == 0) return;
  with_type(s.dtype, [&](auto element) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(s.count, kThreads)), kThreads, 0, sum_ranks_kernel<T>, s.ranks, s.count,
           s.stride, context.at<const T>(s.in), context.at<T>(s.out));
  });
}

void run(const AddSlices& a, const Context& context) {
  int64_t lines = 0;
  a.each([&](int64_t count, int64_t, std::span<const uint64_t>) { lines += ceil_div(count * a.unit, AddSlices::kLine); });
  if (lines == 0) return;
  const void* in[3] = {context.at<void>(a.in[0]), context.at<void>(a.in[1]), context.at<void>(a.in[2])};
  with_vectors(a.dtype, a.unit, {in[0], in[1], in[2], context.at<void>(a.out)}, [&](auto like, auto v) {
    using T = decltype(like);
    const Slices<T> slices{context.bounds,
                           context.bounds + a.slices + 1,
                           context.bounds + 2 * a.slices + 1,
                           a.slices,
                           a.unit,
                           static_cast<const T*>(in[0]),
                           static_cast<const T*>(in[1]),
                           static_cast<const T*>(in[2])};
    LAUNCH(context.stream, grid_of(ceil_div(lines, kWarps)), 32 * kWarps, 0, (add_slices_kernel<T, v()>), slices, lines,
           context.at<T>(a.out));
  });
}

void run(const MaxRanks& m, const Context& context) {
  LAUNCH(context.stream, 1, 32, 0, max_kernel, m.ranks, context.at<const int32_t>(m.in), context.at<int32_t>(m.out));
}

void run(const MaxLoad& m, const Context& context) {
  LAUNCH(context.stream, 1, 32, 0, max_kernel, m.experts, context.at<const int32_t>(m.loads),
         context.at<int32_t>(m.out));
}

void run(const Fill& f, const Context& context) {
  if (f.count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(f.count, kThreads)), kThreads, 0, fill_kernel, f.count,
         context.at<float>(f.out), static_cast<float>(f.value));
}

}  // namespace schemoe::cuda
