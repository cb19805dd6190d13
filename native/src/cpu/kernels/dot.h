// Dot products of rows.
#pragma once

#include <cstdint>

namespace schemoe {

/// In double, in eight sums of fixed order, so that it can use vectors and is always the same.
double row_dot(const float* a, const float* b, int64_t columns);

}  // namespace schemoe
