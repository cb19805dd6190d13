// A warpgroup of the grouped kernel that multiplies tiles.
#pragma once

#include "cuda/hopper/grouped_handed_over.cuh"
#include "cuda/hopper/grouped_in_turn.cuh"

namespace schemoe::cuda::hopper {

/// One warpgroup's share of the tiles.
template <Form kForm>
class Consumer {
 public:
  using Tiles = typename Shape<kForm>::Tiles;
  __device__ Consumer(const Launch& p, const Shared<kForm>& shared, uint32_t block, uint32_t number)
      : p_(p),
        shape_{p},
        shared_(shared),
        number_(number),
        thread_(threadIdx.x % 128),
        results_(p, shared, block, number) {}

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
    const auto multiply_stage = [&](uint32_t i, auto first) {
      constexpr bool kFirst = decltype(first)::value;
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
          add(sums[part], Columns::describe(columns_of(i, turn_.stage, part)), rows, step, !kFirst || step > 0);
        }
      }
      commit_products();
      if constexpr (!kInTurn) {
        if (i == kRestAt) results_.put_rest();
      }
      if constexpr (!kFirst) {
        await_products<1>();
        release(before);
        if constexpr (kHeld) leave(tile, i - 1);
      }
      before = turn_.stage;
      turn_.advance();
    };
    if (stages > 0) multiply_stage(0, std::true_type{});
    for (uint32_t i = 1; i < stages; ++i) multiply_stage(i, std::false_type{});
    if constexpr (kInTurn) end_turn();
    results_.expect(tile);
    await_products<0>();
    if (!Shape<kForm>::kSummed || stages > 0) release(before);
    if constexpr (kHeld) leave(tile, stages - 1);
    results_.template put<N>(tile, sums);
  }

  /// After the last tile.
  __device__ void finish() {
    if constexpr (!kInTurn) results_.put_rest();
  }

 private:
  static constexpr bool kInTurn = Shape<kForm>::kInTurn, kHeld = Shape<kForm>::kHeld != 0;
  static constexpr uint32_t kParts = Shape<kForm>::kParts;
  /// The stage of a tile with which the rest of the tile before is handed over: what came first has been written then.
  static constexpr uint32_t kRestAt = 2;
  using Columns = Factor<Shape<kForm>::kAcross>;
  using Rows = Factor<Shape<kForm>::kSummed>;

  template <int N>
  __device__ static void add(float (&sums)[N][4], uint64_t columns, uint64_t rows, uint32_t step, bool any) {
    multiply<8 * N, Shape<kForm>::kAcross, Shape<kForm>::kSummed>(sums, columns + step * (Columns::kStep >> 4),
                                                                  rows + step * (Rows::kStep >> 4), any);
  }

  /// In shared memory, of the i-th stage along k.
  __device__ uint32_t columns_of(uint32_t i, uint32_t stage, uint32_t part) const {
    return shared_.columns(i, stage) + shape_.part_of(part, number_) * kTile;
  }

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
    for (uint32_t part = 0; part < kParts; ++part) end_of(columns_of(0, stage, part));
    for (uint32_t t = number_; t < N / 64; t += kConsumers) end_of(shared_.rows(stage) + t * kTile);
    fence_stores();
    meet_consumers<128 * kConsumers>(1 + kConsumers);
  }

  /// Both blocks may copy into the stage again.
  __device__ void release(uint32_t stage) const {
    if (thread_ < kBlocks) shared_.empty(stage).arrive_at(thread_);
  }

  /// After the last tile of a run its i-th stage along k of B may be replaced.
  __device__ void leave(const Tile& tile, uint32_t i) const {
    if (tile.ends && thread_ == 0) shared_.left(i).arrive();
  }

  const Launch& p_;
  const Shape<kForm> shape_;
  const Shared<kForm> shared_;
  const uint32_t number_, thread_;
  std::conditional_t<kInTurn, InTurn<kForm>, HandedOver<kForm>> results_;
  Turn<kForm> turn_;
  bool waits_ = false;  // for the other warpgroup, before each tile but the launch's first
  uint32_t order_ = 0;  // parity of that
};

}  // namespace schemoe::cuda::hopper
