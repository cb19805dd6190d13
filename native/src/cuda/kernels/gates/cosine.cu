// Rows of length 1 and a temperature: what gates of cosines need.
#include <cmath>

#include "cuda/kernels/gates/means.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

__device__ double dot(const float* a, const float* b, int64_t columns, int lane) {
  double sum = 0;
#pragma unroll 4
  for (int64_t j = lane; j < columns; j += 32) sum = fma(static_cast<double>(a[j]), static_cast<double>(b[j]), sum);
  return warp_sum(sum);
}

__global__ void __launch_bounds__(kThreads)
    unit_rows_kernel(int64_t rows, int64_t columns, const float* x, float* y, float* norms) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    const float* from = x + row * columns;
    const double length = sqrt(dot(from, from, columns, lane));
    const auto norm = static_cast<float>(length < 1e-12 ? 1e-12 : length);
    for (int64_t j = lane; j < columns; j += 32) y[row * columns + j] = from[j] / norm;
    if (lane == 0) norms[row] = norm;
  }
}

__global__ void __launch_bounds__(kThreads)
    unit_rows_grad_kernel(int64_t rows, int64_t columns, const float* y, const float* norms, const float* dy, float* dx) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    const int64_t at = row * columns;
    const auto along = static_cast<float>(dot(y + at, dy + at, columns, lane));
    const float norm = norms[row];
    for (int64_t j = lane; j < columns; j += 32) dx[at + j] = (dy[at + j] - along * y[at + j]) / norm;
  }
}

/// V numbers at a time.
template <int V>
__global__ void __launch_bounds__(256) temper_kernel(int64_t count, float* z, const float* temperature) {
  const float by = *temperature;
  const int64_t step = int64_t{gridDim.x} * 256;
#pragma unroll 2
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count / V; i += step) {
    float values[V];
    load(values, z + i * V);
#pragma unroll
    for (float& value : values) value /= by;
    store(z + i * V, values);
  }
}

/// Divides the gradient, and sums its products with the results.
template <int V>
__global__ void __launch_bounds__(256)
    temper_grad_kernel(int64_t count, const float* z, const float* temperature, float* dz, Parts parts) {
  const float by = *temperature;
  const int64_t step = int64_t{gridDim.x} * 256;
  double sum = 0;
#pragma unroll 4
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count / V; i += step) {
    float values[V], gradients[V];
    load(values, z + i * V);
    load(gradients, dz + i * V);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      sum = fma(static_cast<double>(values[j]), static_cast<double>(gradients[j]), sum);
      gradients[j] /= by;
    }
    store(dz + i * V, gradients);
  }
  sum = block_sum(sum);
  if (threadIdx.x > 0) return;
  parts.sums[blockIdx.x] = sum;
  if (blockIdx.x == 0) *parts.done = 0;
}

struct TemperatureGrad {
  const float* temperature;
  float* out;
  __device__ void operator()(const volatile double* sums, int64_t) const {
    if (threadIdx.x == 0) *out = static_cast<float>(-sums[0] / *temperature);
  }
};

}  // namespace

void run(const UnitRows& u, const Context& context) {
  if (u.rows == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(u.rows, kWarps)), kThreads, 0, unit_rows_kernel, u.rows, u.columns,
         context.at<const float>(u.x), context.at<float>(u.y), context.at<float>(u.norms));
}

void run(const UnitRowsGrad& u, const Context& context) {
  if (u.rows == 0 || u.columns == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(u.rows, kWarps)), kThreads, 0, unit_rows_grad_kernel, u.rows, u.columns,
         context.at<const float>(u.y), context.at<const float>(u.norms), context.at<const float>(u.dy),
         context.at<float>(u.dx));
}

void run(const Temper& t, const Context& context) {
  auto *z = context.at<float>(t.z), *dz = context.at<float>(t.dz);
  const auto* temperature = context.at<const float>(t.temperature);
  const auto with_vector = [&](auto&& body) {
    if (t.count % 4 == 0 && aligned(z) && aligned(dz)) body(Int<4>{});
    else body(Int<1>{});
  };
  if (!dz) {
    if (t.count == 0) return;
    with_vector([&](auto v) {
      LAUNCH(context.stream, grid_of(ceil_div(t.count, 2048)), 256, 0, temper_kernel<v()>, t.count, z, temperature);
    });
    return;
  }
  const Parts parts = parts_for(static_cast<unsigned>(std::clamp<int64_t>(ceil_div(t.count, 4096), 1, 1056)), 1, context);
  with_vector([&](auto v) {
    LAUNCH(context.stream, parts.blocks, 256, 0, temper_grad_kernel<v()>, t.count, z, temperature, dz, parts);
  });
  finish(1, parts, TemperatureGrad{temperature, context.at<float>(t.d_temperature)}, context);
}

}  // namespace schemoe::cuda
