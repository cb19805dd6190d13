#include "cpu/kernels/dot.h"

#include "cpu/kernels/vector.h"

namespace schemoe {

SCHEMOE_VECTOR double row_dot(const float* a, const float* b, int64_t columns) {
  constexpr int kSums = 8;
  double sums[kSums] = {};
  int64_t j = 0;
  for (; j + kSums <= columns; j += kSums) {
    for (int i = 0; i < kSums; ++i) sums[i] += static_cast<double>(a[j + i]) * b[j + i];
  }
  for (; j < columns; ++j) sums[0] += static_cast<double>(a[j]) * b[j];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace schemoe
