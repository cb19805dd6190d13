// Lists taken by turns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace schemoe::cuda {

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
