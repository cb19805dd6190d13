// Results of the grouped kernel that other warps write.
#pragma once

#include "cuda/hopper/grouped_results.cuh"

namespace schemoe::cuda::hopper {

/// Gives its part of a tile, some rows at once, to the warps that write; the second half while the next tile is multiplied.
template <Form kForm>
class HandedOver : public Results<kForm> {
  using Base = Results<kForm>;
  using Base::load_bias, Base::number_, Base::shared_, Base::thread_, Base::turned_place;

 public:
  using Base::Base;

  /// Before the last products of a tile are awaited.
  __device__ void expect(const Tile&) {}

  template <uint32_t N>
  __device__ void put(const Tile& tile, const Sums<N> (&sums)[1]) {
    put_rest();
    if (this->alone()) put<true, N>(tile, sums[0]);
    else put<false, N>(tile, sums[0]);
  }

  /// The half that has not been handed over yet.
  __device__ void put_rest() {
    if constexpr (kRest > 0) {
      if (rest_ == 0) return;
      const uint32_t to = begin();
#pragma unroll
      for (uint32_t i = 0; i < kRest; ++i) {
        if (i < rest_) store_transposed(to + i * kLines, held_[i]);
      }
      rest_ = 0;
      end();
    }
  }

 private:
  static constexpr uint32_t kAtOnce = Shape<kForm>::kHandedOver;
  static constexpr uint32_t kLines = 16 * 128;  // bytes of what is turned over at once
  static constexpr uint32_t kRest = (Shape<kForm>::kWidth - kAtOnce) / 16;

  template <bool kAlone, uint32_t N>
  __device__ void put(const Tile& tile, const Sums<N>& sums) {
    typename Base::Bias bias;
    load_bias(tile, bias);
    constexpr uint32_t kNow = N < kAtOnce ? N : kAtOnce;
    give<kAlone, 0, kNow, N>(sums, bias[0]);
    if constexpr (N > kNow) {
      if constexpr (kAlone) {
        rest_ = (N - kNow) / 16;
#pragma unroll
        for (uint32_t i = 0; i < (N - kNow) / 16; ++i) {
          this->template finish<true>(held_[i], &sums[kNow / 8 + 2 * i], bias[0], 0);
        }
      } else {
        give<false, kNow, N, N>(sums, bias[0]);
      }
    }
  }

  /// Rows from kFirst to kEnd.
  template <bool kAlone, uint32_t kFirst, uint32_t kEnd, uint32_t N>
  __device__ void give(const Sums<N>& sums, const float (&bias)[2]) {
    const uint32_t to = begin();
#pragma unroll
    for (uint32_t i = 0; i < (kEnd - kFirst) / 16; ++i) {
      this->template turn_over<kAlone>(to + i * kLines, &sums[kFirst / 8 + 2 * i], bias);
    }
    end();
  }

  /// Where this thread's rows go, after those before have been read.
  __device__ uint32_t begin() {
    shared_.free().wait(parity_);
    parity_ ^= 1;
    return shared_.part(number_) + turned_place();
  }
  __device__ void end() const {
    __syncwarp();
    if (thread_ % 32 == 0) shared_.ready().arrive();
  }

  uint32_t held_[kRest > 0 ? kRest : 1][4];
  uint32_t rest_ = 0;  // of these
  uint32_t parity_ = 0;
};

}  // namespace schemoe::cuda::hopper
