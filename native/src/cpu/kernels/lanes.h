// Sums whose order is fixed and still lets loops be vectors: element i belongs to lane i % kWidth.
#pragma once

#include <cstdint>

namespace schemoe {

inline constexpr int64_t kWidth = 16;

/// Sum of value(i) for i in 0 .. count - 1; lanes add up in float, then one after another in double.
template <class Value>
inline double sum_lanes(int64_t count, Value&& value) {
  float lanes[kWidth] = {};
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    for (int64_t j = 0; j < kWidth; ++j) lanes[j] += value(i + j);
  }
  double sum = 0;
  for (int64_t j = 0; j < kWidth; ++j) sum += lanes[j];
  for (; i < count; ++i) sum += value(i);
  return sum;
}

}  // namespace schemoe
