// Each tile of a grouped product is computed once, and clusters have about as much to do. Needs no GPU.
#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "check.h"
#include "cuda/hopper/runs.h"
#include "cuda/hopper/schedule.h"

namespace {

using schemoe::cuda::hopper::cost_of;
using schemoe::cuda::hopper::make_runs;
using schemoe::cuda::hopper::make_schedule;
using schemoe::cuda::hopper::Runs;
using schemoe::cuda::hopper::RunWalk;
using schemoe::cuda::hopper::Schedule;
using schemoe::cuda::hopper::Tile;
using schemoe::cuda::hopper::Walk;

void check_schedule(const std::vector<int32_t>& rows, uint32_t width, uint32_t columns, uint32_t clusters) {
  const Schedule schedule = make_schedule(rows, width, columns, clusters);
  std::map<std::tuple<uint32_t, uint32_t>, std::vector<std::pair<uint32_t, uint32_t>>> parts;
  std::vector<uint64_t> work(clusters);
  for (uint32_t cluster = 0; cluster < clusters; ++cluster) {
    Walk walk(schedule, cluster);
    uint32_t before = width;
    for (Tile tile; walk.next(tile);) {
      // The kernel relies on it: the widest come first.
      CHECK(tile.width <= before && tile.width % 64 == 0 && tile.width > 0);
      before = tile.width;
      CHECK(tile.group < rows.size() && tile.column < columns);
      parts[{tile.group, tile.column}].push_back({tile.row, tile.row + tile.width});
      work[cluster] += cost_of(tile.width);
    }
  }
  for (uint32_t group = 0; group < rows.size(); ++group) {
    for (uint32_t column = 0; column < columns; ++column) {
      auto& list = parts[{group, column}];
      std::sort(list.begin(), list.end());
      uint32_t end = 0;
      for (const auto& [from, to] : list) {
        CHECK_EQUAL(from, end);
        end = to;
      }
      // Every row, and less than 64 more.
      CHECK(end >= static_cast<uint32_t>(rows[group]) && end < static_cast<uint32_t>(rows[group]) + 64);
    }
  }
  const auto [least, most] = std::minmax_element(work.begin(), work.end());
  // Whatever is given last goes to those that have least.
  CHECK(*most - *least <= cost_of(width));
}

/// Runs: each cluster has one column and rows that follow one another, group by group.
void check_runs(const std::vector<int32_t>& rows, uint32_t width, uint32_t columns, uint32_t ranges) {
  const Runs runs = make_runs(rows, width, columns, columns * ranges);
  uint64_t all = 0;
  for (uint32_t column = 0; column < columns; ++column) {
    uint32_t group = 0, end = 0;
    for (uint32_t range = 0; range < ranges; ++range) {
      RunWalk walk(runs, range * columns + column);
      uint64_t work = 0;
      bool begins = true;
      uint32_t run = 0;
      for (Tile tile; walk.next(tile);) {
        while (group < rows.size() && end >= static_cast<uint32_t>(rows[group])) ++group, end = 0;
        CHECK_EQUAL(tile.group, group);
        CHECK_EQUAL(tile.column, column);
        CHECK_EQUAL(tile.row, end);
        CHECK(tile.width % 64 == 0 && tile.width > 0 && tile.width <= width);
        // What is held is another group's from the next tile on, or there is none.
        CHECK(tile.begins == begins);
        CHECK_EQUAL(tile.run, run);
        end += tile.width;
        begins = tile.ends;
        if (end >= static_cast<uint32_t>(rows[group])) CHECK(tile.ends);
        if (tile.ends) run ^= 1;
        work += cost_of(tile.width);
        all += column == 0 ? cost_of(tile.width) : 0;
      }
      CHECK(begins);
      // At most half a tile more at each end than an equal part of all.
      if (column > 0) CHECK(work * ranges <= all + ranges * cost_of(width));
    }
    while (group < rows.size() && end >= static_cast<uint32_t>(rows[group])) ++group, end = 0;
    CHECK_EQUAL(group, rows.size());
  }
}

}  // namespace

int main() {
  std::mt19937 generator(5);
  const auto pick = [&](uint32_t below) { return generator() % below; };
  for (int i = 0; i < 300; ++i) {
    std::vector<int32_t> rows(1 + pick(64));
    for (int32_t& count : rows) count = static_cast<int32_t>(pick(4) == 0 ? 0 : 1 + pick(i % 2 ? 40 : 3000));
    check_schedule(rows, 64 * (1 + pick(4)), 1 + pick(30), 1 + pick(72));
    const uint32_t columns = 1 + pick(30);
    check_runs(rows, 64 * (1 + pick(3)), columns, 1 + pick(72 / columns));
  }
  check_schedule({1080, 1003, 1041, 999, 1060, 1017, 1008, 984}, 256, 56, 66);
  check_schedule(std::vector<int32_t>(64, 0), 192, 3, 5);
  check_runs(std::vector<int32_t>(128, 2560), 192, 3, 22);
  check_runs(std::vector<int32_t>(64, 0), 192, 3, 5);
  return check::result();
}
