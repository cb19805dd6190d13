// Looking for numbers that are not finite; bound by memory, each element being read once.
#include "cuda/kernels/launch.cuh"
#include "runtime/check_numbers.h"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 1024;

__device__ inline uint32_t kind_of(uint32_t bits) {
  const auto kind = bits & 0x007fffffu ? NotFinite::nan : bits >> 31 ? NotFinite::minus_infinity : NotFinite::infinity;
  return static_cast<uint32_t>(kind);
}

__device__ inline uint32_t float_bits(float x) { return __float_as_uint(x); }
__device__ inline uint32_t float_bits(bf16 x) { return uint32_t{__bfloat16_as_ushort(x)} << 16; }

/// Groups of rows x columns elements in x, group by group at a stride. With `ragged` (rows before each group
/// and of all of them, then the first row of each) they have `all` rows in all and are among the same ones.
template <class T>
struct Checked {
  const T* x;
  int64_t groups, rows, all, columns, ld, stride;
  const int32_t* ragged;

  __device__ int64_t place(int64_t row) const {
    if (!ragged) return row / rows * stride + row % rows * ld;
    int64_t group = 0, after = groups;  // the last group that begins at or before the row
    while (after - group > 1) {
      const int64_t middle = (group + after) / 2;
      if (ragged[middle] <= row) group = middle;
      else after = middle;
    }
    return (ragged[groups + 1 + group] + row - ragged[group]) * ld;
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) check_kernel(Checked<T> c, DataError* error, uint32_t call) {
  const int64_t count = c.all * c.columns, step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    const uint32_t bits = float_bits(c.x[c.place(i / c.columns) + i % c.columns]);
    if ((bits & 0x7f800000u) != 0x7f800000u) continue;
    atomicMin(&error->number, static_cast<unsigned long long>(FirstNumber::of(call, i, kind_of(bits))));
    *error->seen = 1;
    return;  // what this thread would find later comes later
  }
}

}  // namespace

void run(const CheckNumbers& check, const Context& context) {
  const Block& block = check.block;
  const int64_t count = check.count();
  if (count == 0) return;
  if (context.call >= FirstNumber::kMostCalls) {
    fail(SCHEMOE_UNSUPPORTED, "numbers are looked at in Programs of at most ", FirstNumber::kMostCalls, " calls");
  }
  with_type(block.dtype, [&](auto element) {
    using T = decltype(element);
    const Checked<T> checked{context.at<const T>(check.x.view), block.groups,   block.rows,     count / block.columns,
                             block.columns,                     check.x.ld, check.x.stride,
                             block.ranges.ragged() ? context.bounds : nullptr};
    const auto blocks = static_cast<unsigned>(std::min<int64_t>(ceil_div(count, kThreads), kMostBlocks));
    LAUNCH(context.stream, blocks, kThreads, 0, check_kernel<T>, checked, context.error, context.call);
  });
}

}  // namespace schemoe::cuda
