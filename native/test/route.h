// Choices of experts with given loads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

/// Choices in random order, and the position of each at its expert.
inline void route(const std::vector<int32_t>& loads, std::vector<int32_t>& choices, std::vector<int32_t>& positions) {
  choices.clear();
  for (size_t e = 0; e < loads.size(); ++e) choices.insert(choices.end(), static_cast<size_t>(loads[e]), static_cast<int32_t>(e));
  std::shuffle(choices.begin(), choices.end(), std::mt19937(3));
  std::vector<int32_t> taken(loads.size(), 0);
  positions.clear();
  for (int32_t choice : choices) positions.push_back(taken[static_cast<size_t>(choice)]++);
}
