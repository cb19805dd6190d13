#include "cuda/hopper/runs.h"

#include <algorithm>

namespace schemoe::cuda::hopper {

Runs make_runs(std::span<const int32_t> rows, uint32_t width, uint32_t columns, uint32_t clusters) {
  Runs r{};
  r.width = width;
  r.columns = columns;
  r.clusters = clusters;
  uint64_t all = 0;
  const auto cost_at = [&](uint32_t group, uint32_t tile) {
    return uint64_t{cost_of(std::min((r.rows[group] - tile * width + 63) / 64 * 64, width))};
  };
  for (uint32_t group = 0; group < rows.size(); ++group) {
    r.rows[group] = static_cast<uint32_t>(rows[group]);
    for (uint32_t tile = 0; tile * width < r.rows[group]; ++tile) all += cost_at(group, tile);
  }
  // A tile is in the range in which its middle lies.
  const uint32_t ranges = clusters / columns;
  uint64_t before = 0;
  for (uint32_t group = 0; group < rows.size(); ++group) {
    for (uint32_t tile = 0; tile * width < r.rows[group]; ++tile) {
      const uint64_t cost = cost_at(group, tile);
      auto& range = r.ranges[(2 * before + cost) * ranges / (2 * all)];
      if (range.count++ == 0) range.group = group, range.tile = tile;
      before += cost;
    }
  }
  return r;
}

}  // namespace schemoe::cuda::hopper
