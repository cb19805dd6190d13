// Which tiles of a grouped product each cluster of blocks computes.
#pragma once

#include <cstdint>
#include <span>

namespace schemoe::cuda::hopper {

inline constexpr uint32_t kMaxGroups = 64;
inline constexpr uint32_t kMaxClusters = 72;
/// Rows of a tile; what is left of a group's rows is a tile of 192, 128 or 64.
inline constexpr uint32_t kWidth = 256;
inline constexpr uint32_t kNarrow = 3;
inline constexpr uint32_t width_of(uint32_t narrow) { return kWidth - 64 * (narrow + 1); }

/// Full tiles go round all clusters, so that those computed at one time lie close together; the narrow
/// ones then fill up the clusters that have least to do.
struct Schedule {
  uint32_t groups;
  uint32_t columns;  // tiles across
  uint32_t clusters;
  /// Full tiles along the rows of all groups before each, and of all.
  uint32_t full_before[kMaxGroups + 1];
  /// Groups that end in a narrow tile, widest first, and where those of each width begin.
  uint32_t narrow_first[kNarrow + 1];
  uint8_t narrow[kMaxGroups];
  /// The narrow tiles of a width that each cluster has: from share[c] to share[c + 1].
  uint32_t share[kNarrow][kMaxClusters + 1];
};

/// `rows` of each group, of which there are at most kMaxGroups; those of 0 have no tiles.
Schedule make_schedule(std::span<const int32_t> rows, uint32_t columns, uint32_t clusters);

}  // namespace schemoe::cuda::hopper
