// What the parts of the grouped kernel share: places in shared memory, and the copying of tiles.
#pragma once

#include "cuda/hopper/grouped_shape.cuh"
#include "cuda/hopper/ring.cuh"

namespace schemoe::cuda::hopper {

/// Tiles begin at multiples of 1024 bytes, which the beginning of dynamic shared memory need not be.
template <Form kForm>
struct Shared {
  static constexpr uint32_t kStages = Shape<kForm>::kStages;
  static constexpr uint32_t kHeld = Shape<kForm>::kHeld;
  static constexpr uint32_t kColumnBytes = kColumns / 64 * kTile, kRowBytes = Shape<kForm>::kWidth / 64 * kTile;
  static constexpr uint32_t kStageBytes = kHeld != 0 ? kRowBytes : kColumnBytes + kRowBytes;
  static constexpr uint32_t kRing = kHeld * kColumnBytes;
  static constexpr uint32_t kTurn = kRing + kStages * kStageBytes;
  static constexpr uint32_t kArea = Shape<kForm>::kParts * Shape<kForm>::kTurned * 128;
  static constexpr uint32_t kPart = Shape<kForm>::kHandedOver * 128;  // of 64 columns that are handed over
  static constexpr uint32_t kFull = kTurn + (Shape<kForm>::kInTurn ? kConsumers * 2 * kArea : kColumns / 64 * kPart);
  static constexpr uint32_t kEmpty = kFull + kStages * 8;
  static constexpr uint32_t kOrder = kEmpty + kStages * 8;
  static constexpr uint32_t kHeldFull = kOrder + kConsumers * 8;
  static constexpr uint32_t kWritten = kHeldFull + 2 * kHeld * 8;
  static constexpr uint32_t kBytes = kWritten + 2 * 8;
  static constexpr uint32_t kAlign = 1024;

  uint32_t base;
  __device__ uint32_t rows(uint32_t stage) const { return base + kRing + stage * kStageBytes + (kHeld != 0 ? 0 : kColumnBytes); }
  /// Of the i-th stage along k, which is in that stage of the ring.
  __device__ uint32_t columns(uint32_t i, uint32_t stage) const {
    return kHeld != 0 ? base + i * kColumnBytes : base + stage * kStageBytes;
  }
  /// Two areas of a consumer.
  __device__ uint32_t turn(uint32_t consumer) const { return base + kTurn + consumer * 2 * kArea; }
  __device__ Barrier full(uint32_t stage) const { return {base + kFull + stage * 8}; }
  __device__ Barrier empty(uint32_t stage) const { return {base + kEmpty + stage * 8}; }
  /// Of the columns that are held: as many of the i-th stage along k have come, or are no longer read.
  __device__ Barrier held(uint32_t i) const { return {base + kHeldFull + i * 8}; }
  __device__ Barrier left(uint32_t i) const { return {base + kHeldFull + (kHeld + i) * 8}; }
  /// A part of a tile that is handed over.
  __device__ uint32_t part(uint32_t i) const { return base + kTurn + i * kPart; }
  /// Of a tile that is handed over: its area may be written by those who multiply, or has been.
  __device__ Barrier free() const { return {base + kWritten}; }
  __device__ Barrier ready() const { return {base + kWritten + 8}; }
  /// Whether a consumer may begin to multiply.
  __device__ Barrier order(uint32_t consumer) const { return {base + kOrder + consumer * 8}; }
};

/// A line of 128 bytes is a part's row of C; its pieces of 16 change places from line to line, which keeps banks apart.
__device__ inline uint32_t place_of(uint32_t line, uint32_t number) { return line * 128 + ((number ^ line % 8) << 4); }

template <Form kForm>
using Turn = RingTurn<Shape<kForm>::kStages>;

/// Has all tiles of the factors copied, as stages become free.
template <Form kForm>
__device__ void produce(const Launch& p, const Shared<kForm>& shared, uint32_t cluster, uint32_t block) {
  const Shape<kForm> shape{p};
  typename Shape<kForm>::Tiles walk = shape.tiles(cluster);
  Tile tile;
  Turn<kForm> turn;
  while (walk.next(tile)) {
    const uint32_t stages = shape.stages(tile.group), pair_stages = shape.pair_stages(tile.group);
    const uint32_t tiles = tile.width / 64;
    const auto column = static_cast<int32_t>(shape.column(tile, block));
    const uint32_t other = shape.other(tile) ? 1 : 0;
    for (uint32_t i = 0; i < stages; ++i) {
      const uint32_t pair = i < pair_stages ? 0 : 1;
      const auto k = static_cast<int32_t>((i - pair * pair_stages) * kDepth);
      shared.empty(turn.stage).wait(turn.parity ^ 1);
      const Barrier full = shared.full(turn.stage);
      const auto load_columns = [&](Barrier arrived) {
        for (uint32_t t = 0; t < kColumns / 64; ++t) {
          const CUtensorMap* map = &p.columns[Shape<kForm>::kGated ? t : pair + other];
          const int32_t at = column + (Shape<kForm>::kGated ? 0 : static_cast<int32_t>(64 * t));
          load_tile(shared.columns(i, turn.stage) + t * kTile, map, shape.column_tile(tile.group, at, k), arrived);
        }
      };
      if constexpr (Shape<kForm>::kHeld == 0) {
        full.expect((kColumns / 64 + tiles) * kTile);
        load_columns(full);
      } else {
        if (tile.begins) {
          shared.left(i).wait(tile.run ^ 1);
          shared.held(i).expect(kColumns / 64 * kTile);
          load_columns(shared.held(i));
        }
        full.expect(tiles * kTile);
      }
      for (uint32_t t = block; t < tiles; t += kBlocks) {
        load_tile_for_both(shared.rows(turn.stage) + t * kTile, &p.rows[pair],
                           shape.row_tile(tile.group, static_cast<int32_t>(tile.row + 64 * t), k), full);
      }
      turn.advance();
    }
  }
}

}  // namespace schemoe::cuda::hopper
