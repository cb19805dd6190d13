// Which tiles of a grouped product each cluster of blocks computes.
#pragma once

#include <cstdint>
#include <span>

#ifdef __CUDACC__
#define SCHEMOE_BOTH __host__ __device__
#else
#define SCHEMOE_BOTH
#endif

namespace schemoe::cuda::hopper {

inline constexpr uint32_t kMaxGroups = 128;
inline constexpr uint32_t kMaxClusters = 72;
/// The most rows of a tile. The remainder of a group is a narrower one, of a multiple of 64.
inline constexpr uint32_t kWidest = 256;
inline constexpr uint32_t kNarrow = kWidest / 64 - 1;
/// Tiles along the rows that are computed side by side, so that clusters at work share factors in L2.
inline constexpr uint32_t kBand = 8;

/// Relative times of tiles of 64 rows, 128 and so on, from their arithmetic and loads.
inline constexpr uint32_t kCost[kNarrow + 1] = {38, 56, 78, 100};
inline constexpr uint32_t cost_of(uint32_t width) { return kCost[width / 64 - 1]; }

/// Full tiles go round all clusters, so that those computed at one time lie close together; the narrow
/// ones then fill up the clusters that have least to do.
struct Schedule {
  uint32_t groups;
  uint32_t width;    // rows of a full tile
  uint32_t columns;  // tiles across
  uint32_t clusters;
  /// Full tiles along the rows of all groups before each, and of all.
  uint32_t full_before[kMaxGroups + 1];
  /// Groups that end in a narrow tile, widest first, and where those of each width begin.
  uint32_t narrow_first[kNarrow + 1];
  uint8_t narrow[kMaxGroups];
  /// The narrow tiles of a width that each cluster has: from share[c] to share[c + 1].
  uint32_t share[kNarrow][kMaxClusters + 1];

  SCHEMOE_BOTH uint32_t width_of(uint32_t narrow_one) const { return width - 64 * (narrow_one + 1); }
};

/// `rows` of each group, of which there are at most kMaxGroups; those of 0 have no tiles. Full tiles have `width` rows.
Schedule make_schedule(std::span<const int32_t> rows, uint32_t width, uint32_t columns, uint32_t clusters);

struct Tile {
  uint32_t group;
  uint32_t column;  // of a cluster, in its 256 columns
  uint32_t row;     // first, in its group
  uint32_t width;
  // Of tiles in runs: the run's parity, and whether it begins or ends with the tile.
  uint32_t run = 0;
  bool begins = false, ends = false;
};

/// A cluster's tiles, one after another.
class Walk {
 public:
  SCHEMOE_BOTH Walk(const Schedule& schedule, uint32_t cluster) : s_(schedule), cluster_(cluster), next_(cluster) {}

  SCHEMOE_BOTH bool next(Tile& tile) {
    const uint32_t full = s_.full_before[s_.groups] * s_.columns;
    if (narrow_ < 0) {
      if (next_ < full) {
        place(next_, tile);
        next_ += s_.clusters;
        return true;
      }
      narrow_ = 0;
      next_ = s_.share[0][cluster_];
    }
    while (next_ >= s_.share[narrow_][cluster_ + 1]) {
      if (++narrow_ == static_cast<int32_t>(kNarrow)) return false;
      next_ = s_.share[narrow_][cluster_];
    }
    const uint32_t number = next_ / s_.columns;
    const uint32_t group = s_.narrow[s_.narrow_first[narrow_] + number];
    tile = {group, next_ - number * s_.columns, (s_.full_before[group + 1] - s_.full_before[group]) * s_.width,
            s_.width_of(static_cast<uint32_t>(narrow_))};
    ++next_;
    return true;
  }

 private:
  SCHEMOE_BOTH void place(uint32_t number, Tile& tile) const {
    uint32_t low = 0, high = s_.groups;
    while (high - low > 1) {
      const uint32_t middle = (low + high) / 2;
      (s_.full_before[middle] * s_.columns <= number ? low : high) = middle;
    }
    const uint32_t tiles = s_.full_before[low + 1] - s_.full_before[low];
    const uint32_t local = number - s_.full_before[low] * s_.columns;
    const uint32_t band = local / (kBand * s_.columns);
    const uint32_t height = tiles - band * kBand < kBand ? tiles - band * kBand : kBand;
    const uint32_t in_band = local - band * kBand * s_.columns;
    const uint32_t column = in_band / height;
    tile = {low, column, (band * kBand + in_band - column * height) * s_.width, s_.width};
  }

  const Schedule& s_;
  const uint32_t cluster_;
  uint32_t next_;
  int32_t narrow_ = -1;
};

#undef SCHEMOE_BOTH

}  // namespace schemoe::cuda::hopper
