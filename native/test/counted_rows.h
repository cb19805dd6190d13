// Kernels of a layer's rows, which integers say or a kernel counts before them.
#pragma once

#include <vector>

#include "packed.h"

/// Tokens with two choices each among four experts, and rows for all of them.
struct CountedRows {
  static constexpr int64_t kTokens = 9, kChoices = 2, kExperts = 4, kColumns = 16;
  static constexpr int64_t kRows = kTokens * kChoices;

  /// Loads of experts, some of which have no rows.
  static std::vector<std::vector<int32_t>> cases() { return {{5, 4, 4, 5}, {0, 18, 0, 0}, {1, 0, 16, 1}, {18, 0, 0, 0}, {0, 0, 0, 18}}; }

  uint32_t x, choices, positions, loads, weights, rows, a, y, sums, dots, out, w, dw;

  /// Into one operation; without loads the rows are counted. Products are left out where they are not to be compared.
  void add(Packed& packed, int dtype, const std::vector<int32_t>* known, bool products) const {
    const auto places = [&](Words words) {
      if (!known) return words.i(0);
      words.i(1, 0, kRows);
      int64_t first = 0;
      for (int32_t load : *known) words.i(first), first += load;
      return words.i(first);
    };
    const auto ranges = [&](Words words) {
      if (!known) return words.i(0);
      int64_t first = 0;
      for (int32_t load : *known) words.i(first, load), first += load;
      return words;
    };
    if (!known) packed.kernel(81, Words().i(0, kExperts, kRows).v(loads));
    const Words head = Words().i(dtype, kTokens, kColumns, kChoices, kExperts);
    packed.kernel(25, places(Words(head).v(x).v(choices).v(positions).v(weights).v(rows)));
    const Words block = Words().i(dtype, kExperts, kRows, kColumns);
    packed.kernel(4, ranges(Words(block).m(rows, kColumns, 0).m(a, kColumns, 0).m(y, kColumns, 0).i(SCHEMOE_SILU)));
    packed.kernel(6, ranges(Words(block).m(y, kColumns, 0).v(sums).i(kColumns, 0)));
    packed.kernel(14, places(Words(head).v(x).v(y).v(choices).v(positions).v(dots)));
    packed.kernel(13, places(Words(head).v(y).v(choices).v(positions).v(weights).v(out).i(0)));
    if (!products) return;
    packed.kernel(24, ranges(Words().i(dtype, dtype, 0, 0, kExperts, kRows, kColumns, kColumns).m(y, kColumns, 0)
                                 .m(w, kColumns, kColumns * kColumns).m(a, kColumns, 0).f(1).f(0).none().i(0, 0)));
    packed.kernel(24, ranges(Words().i(dtype, dtype, 1, 0, kExperts, kColumns, kColumns, kRows).m(y, kColumns, 0)
                                 .m(a, kColumns, 0).m(dw, kColumns, kColumns * kColumns).f(1).f(0).none().i(0, 0)));
  }
};
