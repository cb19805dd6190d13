#include "cuda/joins.h"

#include <algorithm>
#include <map>
#include <utility>

namespace schemoe::cuda {

Joins::Joins(const Program& program)
    : waits(program.operations.size()),
      awaited(program.operations.size(), 0),
      before(program.operations.size(), kNone) {
  const auto lane_of = [&](uint32_t index) {
    const Operation& o = program.operations[index];
    return o.rank * kLanes + o.lane;
  };
  for (uint32_t lane = 0; lane < program.lanes.size(); ++lane) {
    // The latest operation of each other lane that this one has waited for.
    std::map<uint32_t, uint32_t> reached;
    uint32_t previous = kNone;
    for (uint32_t index : program.lanes[lane]) {
      before[index] = std::exchange(previous, index);
      std::map<uint32_t, uint32_t> latest;
      for (uint32_t wait : slice(program.waits, program.operations[index].waits)) {
        const uint32_t other = lane_of(wait);
        if (other == lane) continue;
        auto& last = latest.try_emplace(other, wait).first->second;
        last = std::max(last, wait);
      }
      for (const auto& [other, wait] : latest) {
        const auto known = reached.find(other);
        if (known != reached.end() && known->second >= wait) continue;
        reached[other] = wait;
        waits[index].push_back(wait);
        awaited[wait] = 1;
      }
    }
  }
}

}  // namespace schemoe::cuda
