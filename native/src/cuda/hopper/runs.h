// Tiles of a grouped product whose clusters each go through rows that follow one another, in columns of their own.
#pragma once

#include <cstdint>
#include <span>

#include "cuda/hopper/schedule.h"

#ifdef __CUDACC__
#define SCHEMOE_BOTH __host__ __device__
#else
#define SCHEMOE_BOTH
#endif

namespace schemoe::cuda::hopper {

/// Of each group as many full tiles as there are, then a narrower one. Clusters with the same rows are those that lie
/// side by side, so that they read these at about the same time.
struct Runs {
  uint32_t width;    // rows of a full tile
  uint32_t columns;  // tiles across
  uint32_t clusters;
  uint32_t rows[kMaxGroups];
  /// The first group of clusters / columns ranges, the first tile in it, and the number of tiles.
  struct Range {
    uint32_t group, tile, count;
  } ranges[kMaxClusters];
};

/// The most clusters that have as many for each of the columns; 0 where columns are more than clusters.
inline uint32_t clusters_of_runs(uint32_t columns, uint32_t clusters) { return clusters / columns * columns; }

/// `rows` of each group, of which there are at most kMaxGroups, for a number of clusters that `columns` divides.
Runs make_runs(std::span<const int32_t> rows, uint32_t width, uint32_t columns, uint32_t clusters);

/// A cluster's tiles, one after another.
class RunWalk {
 public:
  SCHEMOE_BOTH RunWalk(const Runs& runs, uint32_t cluster)
      : r_(runs),
        column_(cluster % runs.columns),
        group_(runs.ranges[cluster / runs.columns].group),
        tile_(runs.ranges[cluster / runs.columns].tile),
        left_(runs.ranges[cluster / runs.columns].count) {}

  SCHEMOE_BOTH bool next(Tile& tile) {
    if (left_ == 0) return false;
    while (tile_ * r_.width >= r_.rows[group_]) ++group_, tile_ = 0;
    const uint32_t row = tile_ * r_.width, rest = r_.rows[group_] - row;
    const bool last = rest <= r_.width;
    tile.group = group_;
    tile.column = column_;
    tile.row = row;
    tile.width = last ? (rest + 63) / 64 * 64 : r_.width;
    tile.run = run_;
    tile.begins = begins_;
    --left_;
    ++tile_;
    tile.ends = begins_ = last || left_ == 0;
    if (tile.ends) run_ ^= 1;
    return true;
  }

 private:
  const Runs& r_;
  const uint32_t column_;
  uint32_t group_, tile_, left_;
  uint32_t run_ = 0;
  bool begins_ = true;
};

#undef SCHEMOE_BOTH

}  // namespace schemoe::cuda::hopper
