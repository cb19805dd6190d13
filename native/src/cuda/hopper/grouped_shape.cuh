// Forms of grouped products: their arguments, and sizes of tiles by them.
#pragma once

#include <cuda_bf16.h>

#include <type_traits>

#include "cuda/hopper/ptx.cuh"
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
  bf16* other_c;    // of the second B, where it has one of its own
  uint32_t across;  // tiles of the first B's sums over rows, which those of the second one come after
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
  /// Stages of B that stay, or 0 where they come with those of A.
  static constexpr uint32_t kHeld =
      kForm == Form::kHeld256 ? 4 : kForm == Form::kHeld512 || kForm == Form::kHeldTransposed ? 8 : 0;
  /// Whether warpgroups compute tiles in turn, each while the other writes its own. Otherwise they compute each tile
  /// together and hand it over to warps that write: tiles can be wider then, which copies less, but nothing is
  /// multiplied meanwhile. A gated activation is of two products of the same rows, and short products are handed over
  /// too often.
  static constexpr bool kInTurn = kGated || kHeld != 0;
  /// Those that write are the warps of the first warpgroup beside the one that has tiles copied. An activation's gradients
  /// are work for a warpgroup more.
  static constexpr uint32_t kWriters = kInTurn ? 0 : kGradients ? 7 : 3;
  static constexpr uint32_t kThreads = 128 * (kGradients ? 2 + kConsumers : 1 + kConsumers);
  /// Rows of a full tile, and those that are handed over at once: the rest waits in registers, packed, while the next tile
  /// is multiplied, so that there is room for another stage.
  static constexpr uint32_t kWidth = kInTurn || kGradients ? 192 : 256;
  static constexpr uint32_t kHandedOver = kGradients ? kWidth : kWidth / 2;
  static constexpr uint32_t kStages = kHeld == 8 ? 3 : kHeld == 4 ? 6 : kGated ? 5 : 4;
  /// Parts of 64 columns that a warpgroup computes.
  static constexpr uint32_t kParts = kInTurn ? kColumns / 64 : kColumns / 64 / kConsumers;
  /// Which of the block's parts is a warpgroup's.
  __device__ static uint32_t part_of(uint32_t part, uint32_t consumer) { return kInTurn ? part : consumer; }
  /// Rows of C that a warpgroup turns over at once: fewer where stages leave less shared memory for that.
  static constexpr uint32_t kTurned = 32 / kParts;
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
  __device__ bf16* result(uint32_t group, bool second) const {
    if constexpr (kSummed) return (second ? p.other_c : p.c) + p.number[group] * p.stride;
    return (second ? p.other_c : p.c) + p.first[group] * p.ldc;
  }
  /// Whether the tile is one of the second B's sums.
  __device__ bool other(const Tile& tile) const { return kSummed && tile.column >= p.across; }
  /// The first of a block's columns of C.
  __device__ uint32_t column(const Tile& tile, uint32_t block) const {
    return ((tile.column - (other(tile) ? p.across : 0)) * kBlocks + block) * kWide;
  }
  __device__ Place column_tile(uint32_t group, int32_t column, int32_t k) const {
    if constexpr (kSummed) return {column, p.first[group] + k, 0};
    return kAcross ? Place{column, k, p.number[group]} : Place{k, column, p.number[group]};
  }
  __device__ Place row_tile(uint32_t group, int32_t row, int32_t k) const {
    return kSummed ? Place{row, p.first[group] + k, 0} : Place{k, p.first[group] + row, 0};
  }
};

}  // namespace schemoe::cuda::hopper
