// Lists taken by turns, and whose turn it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace schemoe::cuda {

/// How far the sender is from a rank that receives: 0 for itself, 1 for the next rank. At each distance no two ranks have
/// the same sender.
inline uint32_t distance_of(uint32_t sender, uint32_t rank, uint32_t ranks) { return (sender + ranks - rank) % ranks; }

/// Appends the first of each list, then the second of each, and so on; lists that have ended are passed over.
template <class T>
void take_turns(const std::vector<std::vector<T>>& lists, std::vector<T>& all) {
  size_t longest = 0;
  for (const auto& list : lists) longest = std::max(longest, list.size());
  for (size_t turn = 0; turn < longest; ++turn) {
    for (const auto& list : lists) {
      if (turn < list.size()) all.push_back(list[turn]);
    }
  }
}

}  // namespace schemoe::cuda
