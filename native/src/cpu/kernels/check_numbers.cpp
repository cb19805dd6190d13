// Looking for numbers that are not finite.
#include <bit>

#include "cpu/kernels/kernels.h"

namespace schemoe {

namespace {

/// Bits of the exponent, which all are set in NaN and infinities alone, and of the rest.
template <class Bits>
struct Layout;
template <>
struct Layout<uint32_t> {
  static constexpr uint32_t exponent = 0x7f800000, fraction = 0x007fffff, sign = 0x80000000;
};
template <>
struct Layout<uint16_t> {
  static constexpr uint16_t exponent = 0x7f80, fraction = 0x007f, sign = 0x8000;
};

template <class Bits>
NotFinite kind_of(Bits bits) {
  if (bits & Layout<Bits>::fraction) return NotFinite::nan;
  return bits & Layout<Bits>::sign ? NotFinite::minus_infinity : NotFinite::infinity;
}

template <class Bits>
std::optional<FoundNumber> find(const CheckNumbers& check, const Bits* x, const std::atomic<bool>& stop) {
  const Block& block = check.block;
  int64_t before = 0;
  for (int64_t group = 0; group < block.groups; ++group) {
    for (int64_t row = 0; row < block.rows_of(group) && !stop; ++row, before += block.columns) {
      const Bits* at = x + group * check.x.stride + (block.first(group) + row) * check.x.ld;
      // Without a way out of it, the loop is one of vectors.
      bool any = false;
      for (int64_t j = 0; j < block.columns; ++j) any |= (at[j] & Layout<Bits>::exponent) == Layout<Bits>::exponent;
      if (!any) continue;
      int64_t j = 0;
      while ((at[j] & Layout<Bits>::exponent) != Layout<Bits>::exponent) ++j;
      return FoundNumber{before + j, kind_of(at[j])};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<FoundNumber> find_number(const CheckNumbers& check, const Context& context) {
  if (check.block.dtype == SCHEMOE_BF16) return find(check, context.at<const uint16_t>(check.x.view), context.stop);
  return find(check, context.at<const uint32_t>(check.x.view), context.stop);
}

}  // namespace schemoe
