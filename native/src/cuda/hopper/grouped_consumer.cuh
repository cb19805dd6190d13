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
  using Tiles = typename Shape<kForm>::Tiles;
  __device__ Consumer(const Launch& p, const Shared<kForm>& shared, uint32_t block, uint32_t number)
      : p_(p), shape_{p}, shared_(shared), block_(block), number_(number), thread_(threadIdx.x % 128) {}

  /// This warpgroup's first tile.
  __device__ bool first(Tiles& walk, Tile& tile) {
    if constexpr (kInTurn) return number_ == 0 ? walk.next(tile) : next(walk, tile);
    return walk.next(tile);
  }
  /// Its next one: in turn, that behind the other warpgroup's, whose stages it passes.
  __device__ bool next(Tiles& walk, Tile& tile) {
    if constexpr (kInTurn) {
      if (!walk.next(tile)) return false;
      turn_.skip(shape_.stages(tile.group));
      waits_ = true;
    }
    return walk.next(tile);
  }

  template <uint32_t N>
  __device__ void compute(const Tile& tile) {
    Sums<N> sums[kParts];
    const uint32_t stages = shape_.stages(tile.group);
    if (Shape<kForm>::kSummed && stages == 0) {  // a group without rows has sums of nothing
      for (auto& part : sums) clear<N>(part);
    }
    if constexpr (kInTurn) begin_turn();
    uint32_t before = 0;
    for (uint32_t i = 0; i < stages; ++i) {
      shared_.full(turn_.stage).wait(turn_.parity);
      if constexpr (kHeld) shared_.held(i).wait(tile.run);
      if constexpr (Shape<kForm>::kSummed) {
        const uint32_t left = shape_.depth(tile.group) - i * kDepth;
        if (left < kDepth) blank<N>(turn_.stage, left);
      }
      const uint64_t rows = Rows::describe(shared_.rows(turn_.stage));
      begin_products();
#pragma unroll
      for (uint32_t step = 0; step < kDepth / 16; ++step) {
#pragma unroll
        for (uint32_t part = 0; part < kParts; ++part) {
          const uint64_t columns = Columns::describe(shared_.columns(i, turn_.stage) + part_of(part) * kTile);
          add(sums[part], columns, rows, step, i + step);
        }
      }
      commit_products();
      if (i > 0) {
        await_products<1>();
        release(before);
        if constexpr (kHeld) leave(tile, i - 1);
      }
      before = turn_.stage;
      turn_.advance();
    }
    if constexpr (kInTurn) end_turn();
    const bool plain = kPlain || (p_.beta == 0 && !p_.relu);
    Pieces old;
    if (!plain && p_.beta != 0) fetch(tile, 0, old);
    Arguments arguments;
    if constexpr (Shape<kForm>::kGradients) fetch(tile, 0, arguments);
    await_products<0>();
    if (!Shape<kForm>::kSummed || stages > 0) release(before);
    if constexpr (kHeld) leave(tile, stages - 1);
    if (plain) put<true, N>(tile, old, arguments, sums);
    else put<false, N>(tile, old, arguments, sums);
  }

 private:
  static constexpr bool kPlain = Shape<kForm>::kGated || Shape<kForm>::kGradients;
  static constexpr bool kInTurn = Shape<kForm>::kInTurn, kHeld = Shape<kForm>::kHeld != 0;
  static constexpr uint32_t kParts = Shape<kForm>::kParts;
  static constexpr uint32_t kTurned = Shape<kForm>::kTurned;
  using Columns = Factor<Shape<kForm>::kAcross>;
  using Rows = Factor<Shape<kForm>::kSummed>;
  using Swiglu = Product<Silu<true>>;

  template <int N>
  __device__ static void add(float (&sums)[N][4], uint64_t columns, uint64_t rows, uint32_t step, uint32_t any) {
    multiply<8 * N, Shape<kForm>::kAcross, Shape<kForm>::kSummed>(sums, columns + step * (Columns::kStep >> 4),
                                                                  rows + step * (Rows::kStep >> 4), any != 0);
  }

  /// Which of the block's parts of 64 columns.
  __device__ uint32_t part_of(uint32_t part) const { return kInTurn ? part : number_; }

  /// The other warpgroup has waited for all stages of the tile before. Without that a stage could be in the phase
  /// before that tile's, whose parity is this one's.
  __device__ void begin_turn() {
    if (!waits_) return;
    shared_.order(number_).wait(order_);
    order_ ^= 1;
  }
  __device__ void end_turn() const {
    __syncwarp();
    if (thread_ % 32 == 0) shared_.order(1 - number_).arrive();
  }

  /// The rows behind a group's last are another's: zeros in both factors, since 0 times infinity is none.
  template <uint32_t N>
  __device__ void blank(uint32_t stage, uint32_t left) const {
    const uint4 zero = make_uint4(0, 0, 0, 0);
    const uint32_t bytes = (kDepth - left) * 128;
    const auto end_of = [&](uint32_t tile) {
      for (uint32_t at = thread_ * 16; at < bytes; at += 128 * 16) store_shared(tile + left * 128 + at, zero);
    };
    for (uint32_t part = 0; part < kParts; ++part) end_of(shared_.columns(0, stage) + part_of(part) * kTile);
    constexpr uint32_t kTogether = kInTurn ? 1 : kConsumers;
    for (uint32_t t = kInTurn ? 0 : number_; t < N / 64; t += kTogether) end_of(shared_.rows(stage) + t * kTile);
    fence_stores();
    if constexpr (kInTurn) meet();
    else meet_consumers<128 * kConsumers>(1 + kConsumers);
  }

  /// Both blocks may copy into the stage again.
  __device__ void release(uint32_t stage) const {
    if (thread_ < kBlocks) shared_.empty(stage).arrive_at(thread_);
  }

  /// After the last tile of a run its i-th stage along k of B may be replaced.
  __device__ void leave(const Tile& tile, uint32_t i) const {
    if (tile.ends && thread_ == 0) shared_.left(i).arrive();
  }

  // What is turned over at once is read in pieces of 16 bytes: a warp has so many rows, eight lanes one row.
  static constexpr uint32_t kApart = 4, kLines = kTurned / 16;
  static constexpr uint32_t kPieces = kParts * kLines;
  using Pieces = uint4[kPieces];

  __device__ uint32_t line(uint32_t i) const {
    return thread_ / 32 * (kTurned / 4) + thread_ % 32 / 8 + i % kLines * kApart;
  }
  __device__ uint32_t column_of(const Tile& tile, uint32_t part) const {
    return (tile.column * kBlocks + block_) * Shape<kForm>::kWide + (Shape<kForm>::kGated ? 0 : part_of(part) * 64);
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

  __device__ void fetch(const Tile& tile, uint32_t first, Pieces& to) const {
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const At here = at(tile, first, i);
      to[i] = make_uint4(0, 0, 0, 0);
      if (here.inside) to[i] = *piece_of(shape_.result(tile.group, i / kLines), p_.ldc, here);
    }
  }
  /// A thread's pieces of the arguments of a gated activation.
  struct Arguments {
    uint4 a[Shape<kForm>::kGradients ? kPieces : 1], b[Shape<kForm>::kGradients ? kPieces : 1];
  };
  __device__ void fetch(const Tile& tile, uint32_t first, Arguments& to) const {
    const int64_t begin = p_.first[tile.group];
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const At here = at(tile, first, i);
      if (!here.inside) continue;
      const int64_t row = begin + here.row;
      to.a[i] = __ldcs(reinterpret_cast<const uint4*>(p_.of.a + row * p_.of.lda + here.column));
      to.b[i] = __ldcs(reinterpret_cast<const uint4*>(p_.of.b + row * p_.of.ldb + here.column));
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
  __device__ static uint4 gate(const uint4& a, const uint4& b) {
    return make_uint4(gate(a.x, b.x), gate(a.y, b.y), gate(a.z, b.z), gate(a.w, b.w));
  }
  __device__ static uint32_t gate(uint32_t a, uint32_t b) {
    const float2 x = halves_of(a), y = halves_of(b);
    return pack(Swiglu::value(x.x, y.x), Swiglu::value(x.y, y.y));
  }

  /// All threads of this warpgroup are here.
  __device__ void meet() const { meet_consumers<128>(1 + number_); }

  /// A line of 128 bytes is a part's row of C; its pieces change places from line to line, which keeps banks apart.
  __device__ static uint32_t place(uint32_t line, uint32_t number) { return line * 128 + ((number ^ line % 8) << 4); }
  __device__ uint32_t place(uint32_t i) const { return i / kLines * (kTurned * 128) + place(line(i), thread_ % 8); }

  /// kAlone: without what was there before and without ReLU, which would take as long again.
  template <bool kAlone, uint32_t N>
  __device__ void put(const Tile& tile, Pieces& old, Arguments& arguments, const Sums<N> (&sums)[kParts]) const {
    const uint32_t warp = thread_ / 32, lane = thread_ % 32;
    // Of the two columns whose sums this thread has.
    float bias[kParts][2] = {};
    if (p_.bias) {
      const bf16* from = p_.bias + p_.number[tile.group] * p_.bias_stride;
#pragma unroll
      for (uint32_t i = 0; i < 2 * kParts; ++i) {
        const uint32_t at = column_of(tile, i / 2) + 16 * warp + lane / 4 + 8 * (i % 2);
        if (at < static_cast<uint32_t>(p_.n)) bias[i / 2][i % 2] = to_float(from[at]);
      }
    }
    // Of four matrices of 8 x 8 a lane gives the address of a row: two side by side, two of the next rows.
    const uint32_t turned = place(lane % 8 + lane / 16 * 8, 2 * warp + lane / 8 % 2);
#pragma unroll
    for (uint32_t first = 0; first < N; first += kTurned) {
      // Nobody still reads this area: all met since it was read, where the other one was written.
      const uint32_t here = shared_.turn(number_) + first / kTurned % 2 * Shared<kForm>::kArea;
      if (!kAlone && p_.beta != 0) {
#pragma unroll
        for (uint32_t i = 0; i < kPieces; ++i) store_shared(here + place(i), old[i]);
        meet();
        if (first + kTurned < N) fetch(tile, first + kTurned, old);
      }
#pragma unroll
      for (uint32_t part = 0; part < kParts; ++part) {
#pragma unroll
        for (uint32_t j = 0; j < kTurned / 8; j += 2) {
          const uint32_t to = here + part * (kTurned * 128) + turned + j * 8 * 128;
          uint32_t was[4] = {}, now[4];
          if (!kAlone && p_.beta != 0) load_transposed(was, to);
#pragma unroll
          for (uint32_t q = 0; q < 4; ++q) {
            const auto& two = sums[part][first / 8 + j + q / 2];
            const float2 before = halves_of(was[q]);
            now[q] = pack(finish<kAlone>(two[2 * (q % 2)], before.x, bias[part][q % 2]),
                          finish<kAlone>(two[2 * (q % 2) + 1], before.y, bias[part][q % 2]));
          }
          store_transposed(to, now);
        }
      }
      meet();
      write(tile, first, here, arguments);
      if constexpr (Shape<kForm>::kGradients) {
        if (first + kTurned < N) fetch(tile, first + kTurned, arguments);
      }
    }
    // The next tile's come to the same areas; of two or four parts the last was in the second.
    if constexpr (N / kTurned % 2 == 1) meet();
  }

  /// What has been turned over, and what follows from it.
  __device__ void write(const Tile& tile, uint32_t first, uint32_t area, const Arguments& arguments) const {
    [[maybe_unused]] const int64_t begin = p_.first[tile.group];
#pragma unroll
    for (uint32_t i = 0; i < kPieces; ++i) {
      const At here = at(tile, first, i);
      uint4 now = load_shared(area + place(i));
      if (!here.inside) continue;
      if constexpr (Shape<kForm>::kGradients) {
        *piece_of(p_.second + begin * p_.ld_second, p_.ld_second, here) = gradients(now, arguments.a[i], arguments.b[i]);
      }
      *piece_of(shape_.result(tile.group, i / kLines), p_.ldc, here) = now;
      if constexpr (Shape<kForm>::kGated) {
        if (i >= kLines) continue;
        const uint4 other = load_shared(area + place(i + kLines));
        *piece_of(p_.gated + begin * p_.ld_gated, p_.ld_gated, here) = gate(now, other);
      }
    }
  }

  template <bool kAlone>
  __device__ float finish(float sum, float before, float bias) const {
    float x = p_.alpha * sum;
    if (!kAlone && p_.beta != 0) x += p_.beta * before;
    x += bias;
    return !kAlone && p_.relu && x <= 0 ? 0.0f : x;
  }

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared<kForm> shared_;
  const uint32_t block_, number_, thread_;
  Turn<kForm> turn_;
  bool waits_ = false;  // for the other warpgroup, before each tile but the launch's first
  uint32_t order_ = 0;  // parity of that
};

}  // namespace schemoe::cuda::hopper
