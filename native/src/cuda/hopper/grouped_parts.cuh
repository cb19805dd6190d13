// What the parts of the grouped kernel share: sizes of tiles, arguments, shared memory, and the copying of tiles.
#pragma once

#include <cuda_bf16.h>

#include <type_traits>

#include "cuda/hopper/ptx.cuh"
#include "cuda/hopper/ring.cuh"
#include "cuda/hopper/runs.h"
#include "cuda/hopper/schedule.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::hopper {

constexpr uint32_t kBlocks = 2;            // of a cluster
constexpr uint32_t kDepth = 64;            // of a stage, along k
constexpr uint32_t kColumns = 128;         // of C, a block's
constexpr uint32_t kTile = 64 * 128;       // bytes of a copied tile: 64 x 64 elements
constexpr uint32_t kConsumers = 2;         // warpgroups
constexpr uint32_t kWarps = 4;             // of each
constexpr uint32_t kThreads = 128 * (1 + kConsumers);

/// What is multiplied: the rows of a group by its B or that transposed, or by two B for a gated activation, or by one
/// that is transposed for the activation's gradients; or two matrices that are summed over the rows. Where B is short
/// along k a block holds its columns of it from one tile of a group to the next: by up to 256 or 512, or 512 transposed.
enum class Form { kRows, kRowsTransposed, kGated, kGatedGradients, kSums, kHeld256, kHeld512, kHeldTransposed };

/// The two arguments of a gated activation, rows x n each.
struct GatedRows {
  const bf16* a;
  const bf16* b;
  int64_t lda, ldb;
};

/// Arguments of a launch.
struct Launch {
  CUtensorMap columns[2];  // B, whose columns are those of C
  CUtensorMap rows[2];     // A, whose rows, or of sums columns, are the rows of C
  union {
    Schedule schedule;
    Runs runs;  // of forms that hold B
  };
  int32_t first[kMaxGroups];
  int32_t count[kMaxGroups];
  int32_t number[kMaxGroups];
  int32_t m, n, k;
  int32_t pairs;  // of A and B, whose products are added
  float alpha, beta;
  bool relu;
  bf16* c;
  int64_t ldc, stride;
  const bf16* bias;
  int64_t bias_stride;
  bf16* gate_c;  // of the second B
  bf16* gated;
  int64_t ld_gated;
  GatedRows of;  // arguments of a gated activation
  bf16* second;  // gradient of the second argument; C is that of the first
  int64_t ld_second;
};

/// What depends on the form: where a group's products lie and how long they are.
template <Form kForm>
struct Shape {
  static constexpr bool kSummed = kForm == Form::kSums;
  static constexpr bool kGated = kForm == Form::kGated;
  static constexpr bool kGradients = kForm == Form::kGatedGradients;
  /// Whether warpgroups compute tiles in turn, each while the other writes its own, or each tile together. Sums over
  /// rows are long, so that less is gained than by wide tiles, which copy less.
  static constexpr bool kInTurn = !kSummed;
  /// Stages of B that stay, or 0 where they come with those of A.
  static constexpr uint32_t kHeld =
      kForm == Form::kHeld256 ? 4 : kForm == Form::kHeld512 || kForm == Form::kHeldTransposed ? 8 : 0;
  /// Rows of a full tile. Gradients of an activation are of arguments that take registers too.
  static constexpr uint32_t kWidth = !kInTurn ? 256 : kGradients ? 128 : 192;
  static constexpr uint32_t kStages = kHeld == 8 ? 3 : kHeld == 4 || kWidth == 128 ? 6 : kWidth == 192 ? 5 : 4;
  /// Parts of 64 columns that a warpgroup computes.
  static constexpr uint32_t kParts = kInTurn ? kColumns / 64 : kColumns / 64 / kConsumers;
  /// Rows of C that a warpgroup turns over at once: fewer where stages leave less shared memory for that.
  static constexpr uint32_t kTurned = (kWidth == 192 ? 32 : 64) / kParts;
  /// Columns of C that a block has.
  static constexpr uint32_t kWide = kGated ? kColumns / 2 : kColumns;
  /// Whether columns of C are across k.
  static constexpr bool kAcross = kForm != Form::kRowsTransposed && kForm != Form::kHeldTransposed && !kGradients;
  using Tiles = std::conditional_t<kHeld != 0, RunWalk, Walk>;

  const Launch& p;
  __device__ Tiles tiles(uint32_t cluster) const {
    if constexpr (kHeld != 0) return {p.runs, cluster};
    else return {p.schedule, cluster};
  }
  __device__ uint32_t depth(uint32_t group) const { return static_cast<uint32_t>(kSummed ? p.count[group] : p.k); }
  /// Of one pair of factors, and of all.
  __device__ uint32_t pair_stages(uint32_t group) const { return (depth(group) + kDepth - 1) / kDepth; }
  __device__ uint32_t stages(uint32_t group) const {
    return pair_stages(group) * (kSummed || kGated || kGradients ? 1 : static_cast<uint32_t>(p.pairs));
  }
  __device__ uint32_t rows(uint32_t group) const { return static_cast<uint32_t>(kSummed ? p.m : p.count[group]); }
  __device__ bf16* result(uint32_t group, uint32_t consumer) const {
    if constexpr (kSummed) return p.c + p.number[group] * p.stride;
    return (kGated && consumer == 1 ? p.gate_c : p.c) + p.first[group] * p.ldc;
  }
  __device__ Place column_tile(uint32_t group, int32_t column, int32_t k) const {
    if constexpr (kSummed) return {column, p.first[group] + k, 0};
    return kAcross ? Place{column, k, p.number[group]} : Place{k, column, p.number[group]};
  }
  __device__ Place row_tile(uint32_t group, int32_t row, int32_t k) const {
    return kSummed ? Place{row, p.first[group] + k, 0} : Place{k, p.first[group] + row, 0};
  }
};

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
  static constexpr uint32_t kFull = kTurn + kConsumers * 2 * kArea;
  static constexpr uint32_t kEmpty = kFull + kStages * 8;
  static constexpr uint32_t kOrder = kEmpty + kStages * 8;
  static constexpr uint32_t kHeldFull = kOrder + kConsumers * 8;
  static constexpr uint32_t kBytes = kHeldFull + 2 * kHeld * 8;
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
  /// Whether a consumer may begin to multiply.
  __device__ Barrier order(uint32_t consumer) const { return {base + kOrder + consumer * 8}; }
};

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
    const auto column = static_cast<int32_t>((tile.column * kBlocks + block) * Shape<kForm>::kWide);
    for (uint32_t i = 0; i < stages; ++i) {
      const uint32_t pair = i < pair_stages ? 0 : 1;
      const auto k = static_cast<int32_t>((i - pair * pair_stages) * kDepth);
      shared.empty(turn.stage).wait(turn.parity ^ 1);
      const Barrier full = shared.full(turn.stage);
      const auto load_columns = [&](Barrier arrived) {
        for (uint32_t t = 0; t < kColumns / 64; ++t) {
          const CUtensorMap* map = &p.columns[Shape<kForm>::kGated ? t : pair];
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
