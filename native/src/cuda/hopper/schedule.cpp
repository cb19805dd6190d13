#include "cuda/hopper/schedule.h"

#include <algorithm>
#include <array>

namespace schemoe::cuda::hopper {

namespace {

using Loads = std::array<uint64_t, kMaxClusters>;

uint64_t room(const Loads& loads, uint32_t clusters, uint64_t level, uint32_t cost) {
  uint64_t tiles = 0;
  for (uint32_t c = 0; c < clusters; ++c) tiles += level > loads[c] ? (level - loads[c]) / cost : 0;
  return tiles;
}

/// Gives tiles of one cost to the clusters that have least to do.
void fill(Loads& loads, uint32_t clusters, uint64_t tiles, uint32_t cost, uint32_t* share) {
  uint64_t low = *std::min_element(loads.begin(), loads.begin() + clusters);
  uint64_t high = *std::max_element(loads.begin(), loads.begin() + clusters) + (tiles / clusters + 1) * cost;
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (room(loads, clusters, middle, cost) >= tiles) high = middle;
    else low = middle + 1;
  }
  // As many as fit below the level, then one more for some of those that the level itself has room for.
  uint64_t left = tiles - (high > 0 ? room(loads, clusters, high - 1, cost) : 0);
  uint64_t given = 0;
  for (uint32_t c = 0; c < clusters; ++c) {
    share[c] = static_cast<uint32_t>(given);
    const uint64_t most = high > loads[c] ? (high - loads[c]) / cost : 0;
    uint64_t here = high > loads[c] ? (high - 1 - loads[c]) / cost : 0;
    if (here < most && left > 0) {
      ++here;
      --left;
    }
    loads[c] += here * cost;
    given += here;
  }
  share[clusters] = static_cast<uint32_t>(tiles);
}

}  // namespace

Schedule make_schedule(std::span<const int32_t> rows, uint32_t width, uint32_t columns, uint32_t clusters) {
  Schedule s{};
  s.groups = static_cast<uint32_t>(rows.size());
  s.width = width;
  s.columns = columns;
  s.clusters = clusters;
  std::array<uint32_t, kMaxGroups> steps{};  // of 64 rows, left for a narrow tile
  for (uint32_t group = 0; group < s.groups; ++group) {
    const auto count = static_cast<uint32_t>(rows[group]);
    const uint32_t left = (count % width + 63) / 64;
    s.full_before[group + 1] = s.full_before[group] + count / width + left / (width / 64);
    steps[group] = left % (width / 64);
  }
  uint32_t listed = 0;
  for (uint32_t narrow = 0; narrow < kNarrow; ++narrow) {
    s.narrow_first[narrow] = listed;
    for (uint32_t group = 0; group < s.groups; ++group) {
      if (steps[group] > 0 && steps[group] + narrow + 1 == width / 64) s.narrow[listed++] = static_cast<uint8_t>(group);
    }
  }
  s.narrow_first[kNarrow] = listed;

  const uint32_t full = s.full_before[s.groups] * columns;
  Loads loads{};
  for (uint32_t c = 0; c < clusters; ++c) {
    loads[c] = uint64_t{full / clusters + (c < full % clusters ? 1 : 0)} * cost_of(width);
  }
  for (uint32_t narrow = 0; narrow + 1 < width / 64; ++narrow) {
    const uint64_t tiles = uint64_t{s.narrow_first[narrow + 1] - s.narrow_first[narrow]} * columns;
    fill(loads, clusters, tiles, cost_of(s.width_of(narrow)), s.share[narrow]);
  }
  return s;
}

}  // namespace schemoe::cuda::hopper
