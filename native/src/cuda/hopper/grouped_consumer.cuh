// A warpgroup of the grouped kernel that multiplies tiles and writes the results.
#pragma once

#include "cuda/hopper/grouped_parts.cuh"
#include "cuda/hopper/wgmma.cuh"
#include "cuda/kernels/gated.cuh"

namespace schemoe::cuda::hopper {

/// One warpgroup's share of the tiles.
template <Form kForm>
class Consumer {
 public:
  __device__ Consumer(const Launch& p, const Shared& shared, uint32_t block, uint32_t number)
      : p_(p), shape_{p}, shared_(shared), block_(block), number_(number), thread_(threadIdx.x % 128) {}

  template <uint32_t N>
  __device__ void compute(const Tile& tile) {
    Sums<N> sums;
    const uint32_t stages = shape_.stages(tile.group);
    if (Shape<kForm>::kSummed && stages == 0) clear<N>(sums);  // a group without rows has sums of nothing
    uint32_t before = 0;
    for (uint32_t i = 0; i < stages; ++i) {
      shared_.full(turn_.stage).wait(turn_.parity);
      if constexpr (Shape<kForm>::kSummed) {
        const uint32_t left = shape_.depth(tile.group) - i * kDepth;
        if (left < kDepth) blank<N>(turn_.stage, left);
      }
      const uint64_t columns = Columns::describe(shared_.columns(turn_.stage) + number_ * kTile);
      const uint64_t rows = Rows::describe(shared_.rows(turn_.stage));
      begin_products();
#pragma unroll
      for (uint32_t step = 0; step < kDepth / 16; ++step) add(sums, columns, rows, step, i + step);
      commit_products();
      if (i > 0) {
        await_products<1>();
        release(before);
      }
      before = turn_.stage;
      turn_.advance();
    }
    const Corner corner = corner_of(tile);
    Pieces old;
    if (p_.beta != 0) fetch(corner, 0, old);
    Arguments arguments;
    if constexpr (Shape<kForm>::kGradients) fetch(tile, corner, 0, arguments);
    await_products<0>();
    if (!Shape<kForm>::kSummed || stages > 0) release(before);
    put<N>(tile, corner, old, arguments, sums);
  }

 private:
  using Columns = Factor<Shape<kForm>::kAcross>;
  using Rows = Factor<Shape<kForm>::kSummed>;
  using Swiglu = Product<Silu<true>>;

  template <int N>
  __device__ static void add(float (&sums)[N][4], uint64_t columns, uint64_t rows, uint32_t step, uint32_t any) {
    multiply<8 * N, Shape<kForm>::kAcross, Shape<kForm>::kSummed>(sums, columns + step * (Columns::kStep >> 4),
                                                                  rows + step * (Rows::kStep >> 4), any != 0);
  }

  /// The rows behind a group's last are another's: zeros in both factors, since 0 times infinity is none.
  template <uint32_t N>
  __device__ void blank(uint32_t stage, uint32_t left) const {
    const uint4 zero = make_uint4(0, 0, 0, 0);
    const uint32_t bytes = (kDepth - left) * 128;
    const auto end_of = [&](uint32_t tile) {
      for (uint32_t at = thread_ * 16; at < bytes; at += 128 * 16) store_shared(tile + left * 128 + at, zero);
    };
    end_of(shared_.columns(stage) + number_ * kTile);
    for (uint32_t t = number_; t < N / 64; t += kConsumers) end_of(shared_.rows(stage) + t * kTile);
    fence_stores();
    meet_consumers<128 * kConsumers>(1 + kConsumers);
  }

  /// Both blocks may copy into the stage again.
  __device__ void release(uint32_t stage) const {
    if (thread_ < kBlocks) shared_.empty(stage).arrive_at(thread_);
  }

  /// Where this thread's pieces of C begin: its warp has sixteen of each 64 rows, eight lanes one row.
  struct Corner {
    bf16* c;
    uint32_t row, rows;
    bool inside;  // of the columns
  };
  static constexpr uint32_t kPieces = kTurned / 16, kApart = 4;  // rows from one to the next
  using Pieces = uint4[kPieces];

  __device__ uint32_t column_of(const Tile& tile) const {
    return (tile.column * kBlocks + block_) * Shape<kForm>::kWide + (Shape<kForm>::kGated ? 0 : number_ * 64);
  }
  __device__ uint32_t line() const { return thread_ / 32 * 16 + thread_ % 32 / 8; }
  __device__ Corner corner_of(const Tile& tile) const {
    const uint32_t column = column_of(tile) + thread_ % 8 * 8, row = tile.row + line();
    return {shape_.result(tile.group, number_) + row * p_.ldc + column, row, shape_.rows(tile.group),
            column < static_cast<uint32_t>(p_.n)};
  }
  __device__ void fetch(const Corner& corner, uint32_t first, Pieces& to) const {
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const uint32_t down = first + i * kApart;
      to[i] = make_uint4(0, 0, 0, 0);
      if (corner.inside && corner.row + down < corner.rows) {
        to[i] = *reinterpret_cast<const uint4*>(corner.c + down * p_.ldc);
      }
    }
  }
  /// A thread's pieces of the arguments of a gated activation.
  struct Arguments {
    uint4 a[Shape<kForm>::kGradients ? kPieces : 1], b[Shape<kForm>::kGradients ? kPieces : 1];
  };
  __device__ void fetch(const Tile& tile, const Corner& corner, uint32_t first, Arguments& to) const {
    const int64_t row = p_.first[tile.group] + corner.row + first, column = column_of(tile) + thread_ % 8 * 8;
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      if (!corner.inside || corner.row + first + i * kApart >= corner.rows) continue;
      to.a[i] = __ldcs(reinterpret_cast<const uint4*>(p_.of.a + (row + i * kApart) * p_.of.lda + column));
      to.b[i] = __ldcs(reinterpret_cast<const uint4*>(p_.of.b + (row + i * kApart) * p_.of.ldb + column));
    }
  }
  /// The gradients of both arguments, the first in place of what comes from the activation.
  __device__ static uint4 gradients(uint4& from, const uint4& a, const uint4& b) {
    uint4 second;
    from.x = gradients(from.x, a.x, b.x, second.x), from.y = gradients(from.y, a.y, b.y, second.y);
    from.z = gradients(from.z, a.z, b.z, second.z), from.w = gradients(from.w, a.w, b.w, second.w);
    return second;
  }
  __device__ static uint32_t gradients(uint32_t from, uint32_t a, uint32_t b, uint32_t& second) {
    const float2 f = halves_of(from), x = halves_of(a), y = halves_of(b);
    second = pack(Swiglu::grad_b(f.x, x.x, y.x), Swiglu::grad_b(f.y, x.y, y.y));
    return pack(Swiglu::grad_a(f.x, x.x, y.x), Swiglu::grad_a(f.y, x.y, y.y));
  }

  /// All threads that write what will be read next are here: this warpgroup's, or both's.
  __device__ void meet() const {
    if constexpr (Shape<kForm>::kGated) meet_consumers<128 * kConsumers>(1 + kConsumers);
    else meet_consumers<128>(1 + number_);
  }

  /// The activation of half of the rows that both warpgroups have turned over.
  __device__ void activate(const Tile& tile, uint32_t first, uint32_t area, uint32_t step) const {
    const uint32_t column = column_of(tile) + thread_ % 8 * 8;
    bf16* to = p_.gated + p_.first[tile.group] * p_.ld_gated + column;
#pragma unroll
    for (uint32_t i = 0; i < kPieces / kConsumers; ++i) {
      const uint32_t down = line() + (i * kConsumers + number_) * kApart, row = tile.row + first + down;
      const uint32_t at = down * 128 + ((thread_ % 8 ^ down % 8) << 4);
      if (column >= static_cast<uint32_t>(p_.n) || row >= shape_.rows(tile.group)) continue;
      const uint4 a = load_shared(area + at), b = load_shared(area + step + at);
      uint4 y;
      y.x = gate(a.x, b.x), y.y = gate(a.y, b.y), y.z = gate(a.z, b.z), y.w = gate(a.w, b.w);
      *reinterpret_cast<uint4*>(to + row * p_.ld_gated) = y;
    }
  }
  __device__ static uint32_t gate(uint32_t a, uint32_t b) {
    const float2 x = halves_of(a), y = halves_of(b);
    return pack(Swiglu::value(x.x, y.x), Swiglu::value(x.y, y.y));
  }

  template <uint32_t N>
  __device__ void put(const Tile& tile, const Corner& corner, Pieces& old, Arguments& arguments,
                      const Sums<N>& sums) const {
    const uint32_t warp = thread_ / 32, lane = thread_ % 32;
    // Of the two columns whose sums this thread has.
    float bias[2] = {0, 0};
    if (p_.bias) {
      const bf16* from = p_.bias + p_.number[tile.group] * p_.bias_stride;
#pragma unroll
      for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t at = column_of(tile) + 16 * warp + lane / 4 + 8 * i;
        if (at < static_cast<uint32_t>(p_.n)) bias[i] = to_float(from[at]);
      }
    }
    // A line of 128 bytes is a row of C; its pieces change places from line to line, which keeps banks apart.
    const auto piece = [](uint32_t line, uint32_t number) { return line * 128 + ((number ^ line % 8) << 4); };
    // Of four matrices of 8 x 8 a lane gives the address of a row: two side by side, two of the next rows.
    const uint32_t turned = piece(lane % 8 + lane / 16 * 8, 2 * warp + lane / 8 % 2);
#pragma unroll
    for (uint32_t first = 0; first < N; first += kTurned) {
      // Nobody still reads this area: all met since it was read, where the other one was written.
      const uint32_t here = shared_.turn(number_) + first / kTurned % 2 * kTile;
      if (p_.beta != 0) {
#pragma unroll
        for (uint32_t i = 0; i < kPieces; ++i) store_shared(here + piece(line() + i * kApart, lane % 8), old[i]);
        meet();
        if (first + kTurned < N) fetch(corner, first + kTurned, old);
      }
#pragma unroll
      for (uint32_t j = 0; j < kTurned / 8; j += 2) {
        const uint32_t at = here + turned + j * 8 * 128;
        uint32_t was[4] = {}, now[4];
        if (p_.beta != 0) load_transposed(was, at);
#pragma unroll
        for (uint32_t q = 0; q < 4; ++q) {
          const auto& two = sums[first / 8 + j + q / 2];
          const float2 before = halves_of(was[q]);
          now[q] = pack(finish(two[2 * (q % 2)], before.x, bias[q % 2]),
                        finish(two[2 * (q % 2) + 1], before.y, bias[q % 2]));
        }
        store_transposed(at, now);
      }
      meet();
#pragma unroll
      for (uint32_t i = 0; i < kPieces; ++i) {
        uint4 now = load_shared(here + piece(line() + i * kApart, lane % 8));
        const uint32_t down = first + i * kApart;
        if (corner.inside && corner.row + down < corner.rows) {
          if constexpr (Shape<kForm>::kGradients) {
            const int64_t row = p_.first[tile.group] + corner.row + down;
            const uint4 second = gradients(now, arguments.a[i], arguments.b[i]);
            *reinterpret_cast<uint4*>(p_.second + row * p_.ld_second + column_of(tile) + thread_ % 8 * 8) = second;
          }
          *reinterpret_cast<uint4*>(corner.c + down * p_.ldc) = now;
        }
      }
      if constexpr (Shape<kForm>::kGradients) {
        if (first + kTurned < N) fetch(tile, corner, first + kTurned, arguments);
      }
      if constexpr (Shape<kForm>::kGated) {
        activate(tile, first, shared_.turn(0) + first / kTurned % 2 * kTile, shared_.turn(1) - shared_.turn(0));
      }
    }
    // The next tile's come to the same areas; of two or four parts the last was in the second.
    if constexpr (N / kTurned % 2 == 1) meet();
  }

  __device__ float finish(float sum, float before, float bias) const {
    float x = p_.alpha * sum;
    if (p_.beta != 0) x += p_.beta * before;
    x += bias;
    return p_.relu && x <= 0 ? 0.0f : x;
  }

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared shared_;
  const uint32_t block_, number_, thread_;
  Turn turn_;
};

}  // namespace schemoe::cuda::hopper
