// Finding the first NaN or infinity of a run (SCHEMOE_CHECK_NUMBERS): checks are calls of their own, which
// follow the calls whose results they look at.
#pragma once

#include <vector>

#include "runtime/program.h"

namespace schemoe {

/// What an element is that is not finite.
enum class NotFinite : uint8_t { nan = 0, infinity = 1, minus_infinity = 2 };

/// Appends the checks of the last call's results.
void add_checks(std::vector<Call>& calls);

/// `element` counts the elements that a check looks at: group after group, row after row.
Failure not_finite(const CheckNumbers& check, const Operation& operation, int64_t element, NotFinite what) noexcept;

}  // namespace schemoe
