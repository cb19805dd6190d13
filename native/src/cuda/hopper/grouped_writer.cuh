// The warps of the grouped kernel that write tiles while the next ones are multiplied.
#pragma once

#include "cuda/hopper/grouped_parts.cuh"
#include "cuda/kernels/gated.cuh"

namespace schemoe::cuda::hopper {

/// One block's share of the tiles, as those who multiply hand them over: parts of 64 columns in shared memory.
template <Form kForm>
class Writer {
 public:
  __device__ Writer(const Launch& p, const Shared<kForm>& shared, uint32_t block)
      : p_(p), shape_{p}, shared_(shared), block_(block), warp_(number()), lane_(threadIdx.x % 32) {}

  /// Each part that is handed over has its turn: what belongs in its place or beside it is fetched before.
  __device__ void write_all(typename Shape<kForm>::Tiles walk) {
    Tile tile;
    bool more = walk.next(tile);
    uint32_t parity = 0;
    for (; more; more = walk.next(tile)) {
      for (begin_ = 0; begin_ < tile.width; begin_ += Shape<kForm>::kHandedOver, parity ^= 1) {
        const uint32_t end = min(tile.width - begin_, Shape<kForm>::kHandedOver);
        if constexpr (kGradients) fetch(tile, line());
        else if (p_.beta != 0) bring(tile, end);
        arrive(shared_.free());
        shared_.ready().wait(parity);
        write(tile, end);
      }
    }
  }

 private:
  static constexpr bool kGradients = Shape<kForm>::kGradients;
  static constexpr uint32_t kParts = kColumns / 64;
  /// Lines that eight lanes have at once, each so far behind the one before, and those that a warp has.
  static constexpr uint32_t kLines = kGradients ? 2 : 4, kApart = 4, kTogether = kLines * kApart;
  static constexpr uint32_t kNext = Shape<kForm>::kWriters * kTogether;
  using Swiglu = Product<Silu<true>>;

  /// Among the warps that write: the first warpgroup's but one come before those of the last.
  __device__ static uint32_t number() {
    const uint32_t warp = threadIdx.x / 32;
    return warp < kWarps ? warp - 1 : warp - 1 - kConsumers * kWarps;
  }

  /// A lane's first of the lines that are written at once.
  __device__ uint32_t line() const { return warp_ * kTogether + lane_ / 8; }
  struct Piece {
    uint32_t shared;
    int64_t row;
    uint32_t column;
    bool inside;
  };
  __device__ Piece place(const Tile& tile, uint32_t line, uint32_t part) const {
    const uint32_t row = tile.row + begin_ + line, column = shape_.column(tile, block_) + part * 64 + lane_ % 8 * 8;
    return {shared_.part(part) + place_of(line, lane_ % 8), row, column,
            row < shape_.rows(tile.group) && column < static_cast<uint32_t>(p_.n)};
  }
  __device__ static uint4* piece(bf16* rows, int64_t ld, const Piece& at) {
    return reinterpret_cast<uint4*>(rows + at.row * ld + at.column);
  }
  __device__ static const uint4* piece(const bf16* rows, int64_t ld, const Piece& at) {
    return reinterpret_cast<const uint4*>(rows + at.row * ld + at.column);
  }

  /// After all lanes of this warp have done what they had to do before.
  __device__ void arrive(Barrier barrier) const {
    __syncwarp();
    if (lane_ == 0) barrier.arrive();
  }

  /// Calls body(place of the i-th line and part, i) for as many lines as are done at once.
  template <class Body>
  __device__ void each(const Tile& tile, uint32_t first, Body&& body) const {
#pragma unroll
    for (uint32_t i = 0; i < kLines * kParts; ++i) body(place(tile, first + i / kParts * kApart, i % kParts), i);
  }

  /// What was in the result, to which the sums are added.
  __device__ void bring(const Tile& tile, uint32_t end) const {
    for (uint32_t first = line(); first < end; first += kNext) {
      uint4 old[kLines * kParts];
      each(tile, first, [&](const Piece& at, uint32_t i) {
        old[i] = make_uint4(0, 0, 0, 0);
        if (at.inside) old[i] = *piece(shape_.result(tile.group, shape_.other(tile)), p_.ldc, at);
      });
      each(tile, first, [&](const Piece& at, uint32_t i) { store_shared(at.shared, old[i]); });
    }
  }

  __device__ void write(const Tile& tile, uint32_t end) {
    for (uint32_t first = line(); first < end; first += kNext) {
      if constexpr (kGradients) write_gradients(tile, first, end);
      else write_plain(tile, first);
    }
  }

  __device__ void write_plain(const Tile& tile, uint32_t first) const {
    uint4 now[kLines * kParts];
    each(tile, first, [&](const Piece& at, uint32_t i) { now[i] = load_shared(at.shared); });
    each(tile, first, [&](const Piece& at, uint32_t i) {
      if (at.inside) *piece(shape_.result(tile.group, shape_.other(tile)), p_.ldc, at) = now[i];
    });
  }

  /// Arguments of the activation, while others are at work.
  struct Arguments {
    uint4 a[kLines * kParts], b[kLines * kParts];
  };
  __device__ void fetch(const Tile& tile, uint32_t first) {
    const int64_t begin = p_.first[tile.group];
    each(tile, first, [&](const Piece& at, uint32_t i) {
      if (!at.inside) return;
      next_.a[i] = __ldcs(piece(p_.of.a + begin * p_.of.lda, p_.of.lda, at));
      next_.b[i] = __ldcs(piece(p_.of.b + begin * p_.of.ldb, p_.of.ldb, at));
    });
  }

  __device__ void write_gradients(const Tile& tile, uint32_t first, uint32_t end) {
    const int64_t begin = p_.first[tile.group];
    const Arguments of = next_;
    if (first + kNext < end) fetch(tile, first + kNext);
    each(tile, first, [&](const Piece& at, uint32_t i) {
      uint4 now = load_shared(at.shared);
      if (!at.inside) return;
      *piece(p_.second + begin * p_.ld_second, p_.ld_second, at) = gradients(now, of.a[i], of.b[i]);
      *piece(shape_.result(tile.group, false), p_.ldc, at) = now;
    });
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

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared<kForm> shared_;
  const uint32_t block_, warp_, lane_;
  uint32_t begin_ = 0;
  std::conditional_t<kGradients, Arguments, uint32_t> next_;
};

}  // namespace schemoe::cuda::hopper
