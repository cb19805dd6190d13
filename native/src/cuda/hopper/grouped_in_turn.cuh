// Results of the grouped kernel that the warpgroup writes which has multiplied them.
#pragma once

#include "cuda/hopper/grouped_results.cuh"
#include "cuda/kernels/gated.cuh"

namespace schemoe::cuda::hopper {

/// Turns a tile over and writes it, while the other warpgroup multiplies its own.
template <Form kForm>
class InTurn : public Results<kForm> {
  using Base = Results<kForm>;
  using Base::column_of, Base::load_bias, Base::number_, Base::p_, Base::shape_, Base::shared_, Base::thread_,
      Base::turned_place;
  static constexpr uint32_t kParts = Base::kParts;

 public:
  using Base::Base;

  /// Before the last products of a tile are awaited.
  __device__ void expect(const Tile& tile) {
    if (!this->alone() && p_.beta != 0) fetch(tile, 0);
  }

  template <uint32_t N>
  __device__ void put(const Tile& tile, const Sums<N> (&sums)[kParts]) {
    if (this->alone()) put<true, N>(tile, sums);
    else put<false, N>(tile, sums);
  }

 private:
  static constexpr uint32_t kTurned = Shape<kForm>::kTurned;
  // What is turned over at once is read in pieces of 16 bytes: a warp has so many rows, eight lanes one row.
  static constexpr uint32_t kApart = 4, kLines = kTurned / 16;
  static constexpr uint32_t kPieces = kParts * kLines;
  using Swiglu = Product<Silu<true>>;

  __device__ uint32_t line(uint32_t i) const {
    return thread_ / 32 * (kTurned / 4) + thread_ % 32 / 8 + i % kLines * kApart;
  }
  /// Where a piece belongs: its column, and its row in the group.
  struct At {
    uint32_t row, column;
    bool inside;
  };
  __device__ At at(const Tile& tile, uint32_t first, uint32_t i) const {
    const uint32_t row = tile.row + first + line(i), column = column_of(tile, i / kLines) + thread_ % 8 * 8;
    return {row, column, row < shape_.rows(tile.group) && column < static_cast<uint32_t>(p_.n)};
  }
  __device__ uint4* piece_of(bf16* rows, int64_t ld, const At& at) const {
    return reinterpret_cast<uint4*>(rows + at.row * ld + at.column);
  }

  __device__ void fetch(const Tile& tile, uint32_t first) {
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const At here = at(tile, first, i);
      old_[i] = make_uint4(0, 0, 0, 0);
      if (here.inside) old_[i] = *piece_of(shape_.result(tile.group, false), p_.ldc, here);
    }
  }

  __device__ static uint4 gate(const uint4& a, const uint4& b) {
    return make_uint4(gate(a.x, b.x), gate(a.y, b.y), gate(a.z, b.z), gate(a.w, b.w));
  }
  __device__ static uint32_t gate(uint32_t a, uint32_t b) {
    const float2 x = halves_of(a), y = halves_of(b);
    return pack(Swiglu::value(x.x, y.x), Swiglu::value(x.y, y.y));
  }

  /// All threads of this warpgroup are here.
  __device__ void meet() const { meet_consumers<128>(1 + number_); }

  __device__ uint32_t place(uint32_t i) const { return i / kLines * (kTurned * 128) + place_of(line(i), thread_ % 8); }

  template <bool kAlone, uint32_t N>
  __device__ void put(const Tile& tile, const Sums<N> (&sums)[kParts]) {
    typename Base::Bias bias;
    load_bias(tile, bias);
    const uint32_t turned = turned_place();
#pragma unroll
    for (uint32_t first = 0; first < N; first += kTurned) {
      // Nobody still reads this area: all met since it was read, where the other one was written.
      const uint32_t here = shared_.turn(number_) + first / kTurned % 2 * Shared<kForm>::kArea;
      if (!kAlone && p_.beta != 0) {
#pragma unroll
        for (uint32_t i = 0; i < kPieces; ++i) store_shared(here + place(i), old_[i]);
        meet();
        if (first + kTurned < N) fetch(tile, first + kTurned);
      }
#pragma unroll
      for (uint32_t part = 0; part < kParts; ++part) {
#pragma unroll
        for (uint32_t j = 0; j < kTurned / 8; j += 2) {
          const uint32_t to = here + part * (kTurned * 128) + turned + j * 8 * 128;
          this->template turn_over<kAlone>(to, &sums[part][first / 8 + j], bias[part]);
        }
      }
      meet();
      write(tile, first, here);
    }
    // The next tile's come to the same areas; of two or four parts the last was in the second.
    if constexpr (N / kTurned % 2 == 1) meet();
  }

  /// What has been turned over, and what follows from it.
  __device__ void write(const Tile& tile, uint32_t first, uint32_t area) const {
    [[maybe_unused]] const int64_t begin = p_.first[tile.group];
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const At here = at(tile, first, i);
      const uint4 now = load_shared(area + place(i));
      if (!here.inside) continue;
      *piece_of(shape_.result(tile.group, Shape<kForm>::kGated && i >= kLines), p_.ldc, here) = now;
      if constexpr (Shape<kForm>::kGated) {
        if (i >= kLines) continue;
        const uint4 other = load_shared(area + place(i + kLines));
        *piece_of(p_.gated + begin * p_.ld_gated, p_.ld_gated, here) = gate(now, other);
      }
    }
  }

  uint4 old_[kPieces];
};

}  // namespace schemoe::cuda::hopper
