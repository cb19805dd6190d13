// What a warpgroup of the grouped kernel does with sums before they are written.
#pragma once

#include "cuda/hopper/grouped_parts.cuh"
#include "cuda/hopper/wgmma.cuh"

namespace schemoe::cuda::hopper {

/// A warpgroup's sums, whose rows are columns of C: they are turned over in shared memory, to lines of 128 bytes.
template <Form kForm>
class Results {
 public:
  __device__ Results(const Launch& p, const Shared<kForm>& shared, uint32_t block, uint32_t number)
      : p_(p), shape_{p}, shared_(shared), block_(block), number_(number), thread_(threadIdx.x % 128) {}

 protected:
  static constexpr uint32_t kParts = Shape<kForm>::kParts;
  using Bias = float[kParts][2];

  /// Whether products are all that there is to a result: neither what was there before nor ReLU, which would take as
  /// long again.
  __device__ bool alone() const {
    return Shape<kForm>::kGated || Shape<kForm>::kGradients || (p_.beta == 0 && !p_.relu);
  }

  __device__ uint32_t column_of(const Tile& tile, uint32_t part) const {
    return shape_.column(tile, block_) + (Shape<kForm>::kGated ? 0 : shape_.part_of(part, number_) * 64);
  }

  /// Of the two columns whose sums this thread has.
  __device__ void load_bias(const Tile& tile, Bias& bias) const {
#pragma unroll
    for (uint32_t i = 0; i < 2 * kParts; ++i) {
      bias[i / 2][i % 2] = 0;
      if (!p_.bias) continue;
      const uint32_t at = column_of(tile, i / 2) + 16 * (thread_ / 32) + thread_ % 32 / 4 + 8 * (i % 2);
      if (at < static_cast<uint32_t>(p_.n)) {
        bias[i / 2][i % 2] = to_float(p_.bias[p_.number[tile.group] * p_.bias_stride + at]);
      }
    }
  }

  /// Of four matrices of 8 x 8 a lane gives the address of a row: two side by side, two of the next rows.
  __device__ uint32_t turned_place() const {
    const uint32_t lane = thread_ % 32;
    return place_of(lane % 8 + lane / 16 * 8, 2 * (thread_ / 32) + lane / 8 % 2);
  }

  /// Sixteen rows of C, of sixteen columns for each warp. With beta what was there before is at `there` in shared memory.
  template <bool kAlone>
  __device__ void finish(uint32_t (&now)[4], const float (*sums)[4], const float (&bias)[2], uint32_t there) const {
    uint32_t was[4] = {};
    if (!kAlone && p_.beta != 0) load_transposed(was, there);
#pragma unroll
    for (uint32_t q = 0; q < 4; ++q) {
      const float2 before = halves_of(was[q]);
      now[q] = pack(result<kAlone>(sums[q / 2][2 * (q % 2)], before.x, bias[q % 2]),
                    result<kAlone>(sums[q / 2][2 * (q % 2) + 1], before.y, bias[q % 2]));
    }
  }
  template <bool kAlone>
  __device__ void turn_over(uint32_t to, const float (*sums)[4], const float (&bias)[2]) const {
    uint32_t now[4];
    finish<kAlone>(now, sums, bias, to);
    store_transposed(to, now);
  }

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared<kForm> shared_;
  const uint32_t block_, number_, thread_;

 private:
  template <bool kAlone>
  __device__ float result(float sum, float before, float bias) const {
    float x = p_.alpha * sum;
    if (!kAlone && p_.beta != 0) x += p_.beta * before;
    x += bias;
    return !kAlone && p_.relu && x <= 0 ? 0.0f : x;
  }
};

}  // namespace schemoe::cuda::hopper
