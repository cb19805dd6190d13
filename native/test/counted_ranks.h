// Rows that go from ranks to the experts of others and back, which integers say or kernels count before them.
#pragma once

#include <vector>

#include "packed.h"

/// Tokens of three ranks with two choices each among six experts, two of each rank.
struct CountedRanks {
  static constexpr uint32_t kRanks = 3;
  static constexpr int64_t kTokens = 8, kChoices = 2, kExperts = 6, kLocal = 2, kColumns = 12;
  static constexpr int64_t kRows = kTokens * kChoices, kRoom = 40, kAll = int64_t{1} << 30;
  using Loads = std::vector<std::vector<int32_t>>;  // [rank][expert]

  /// Experts, and whole ranks, without rows are among them.
  static std::vector<Loads> cases() {
    return {{{3, 3, 3, 3, 2, 2}, {2, 3, 3, 3, 3, 2}, {0, 1, 5, 5, 5, 0}},
            {{0, 16, 0, 0, 0, 0}, {0, 0, 0, 0, 8, 8}, {10, 0, 0, 0, 1, 5}},
            {{0, 0, 16, 0, 0, 0}, {0, 0, 3, 13, 0, 0}, {1, 0, 7, 0, 0, 8}},
            {{16, 0, 0, 0, 0, 0}, {0, 0, 16, 0, 0, 0}, {0, 0, 0, 0, 0, 16}}};
  }

  uint32_t x, choices, positions, loads, sent, arrived, rows, a, y, sums, leaving, returned, out;

  /// Bytes of what each holds on a rank, for elements of so many.
  std::vector<std::pair<uint32_t CountedRanks::*, int64_t>> sizes(int64_t each) const {
    return {{&CountedRanks::x, kTokens * kColumns * each},       {&CountedRanks::choices, kRows * 4},
            {&CountedRanks::positions, kRows * 4},               {&CountedRanks::loads, kRanks * kExperts * 4},
            {&CountedRanks::sent, kRows * kColumns * each},      {&CountedRanks::arrived, kRoom * kColumns * each},
            {&CountedRanks::rows, kRoom * kColumns * each},      {&CountedRanks::a, kRoom * kColumns * each},
            {&CountedRanks::y, kRoom * kColumns * each},         {&CountedRanks::sums, kLocal * kColumns * 4},
            {&CountedRanks::leaving, kRoom * kColumns * each},   {&CountedRanks::returned, kRows * kColumns * each},
            {&CountedRanks::out, kTokens * kColumns * each}};
  }

  /// Without loads the rows are counted.
  Packed packed(int dtype, const Loads* known) const {
    Packed packed(kRanks);
    const int64_t row = kColumns * (dtype == SCHEMOE_BF16 ? 2 : 4);
    const auto of = [&](int64_t from, int64_t e) { return int64_t{(*known)[static_cast<size_t>(from)][static_cast<size_t>(e)]}; };
    const auto between = [&](int64_t from, int64_t to) { return of(from, to * kLocal) + of(from, to * kLocal + 1); };
    const auto places = [&](Words words, int64_t rank) {
      if (!known) return words.i(rank);
      words.i(1, 0, kRows);
      int64_t first = 0;
      for (int64_t e = 0; e < kExperts; ++e) words.i(first), first += of(rank, e);
      return words.i(first);
    };
    const auto gets = [&](int64_t rank, int64_t e) {
      int64_t all = 0;
      for (int64_t from = 0; from < kRanks; ++from) all += of(from, rank * kLocal + e);
      return all;
    };
    const auto block = [&](int64_t rank) {
      return Words().i(dtype, kLocal, known ? gets(rank, 0) + gets(rank, 1) : kRoom, kColumns);
    };
    const auto ranges = [&](Words words, int64_t rank) {
      if (!known) return words.i(rank);
      return words.i(0, gets(rank, 0), gets(rank, 0), gets(rank, 1));
    };
    const auto arranged = [&](int64_t rank, uint32_t wire, uint32_t there) {
      Words words = Words().i(dtype, 0, kColumns, kRanks, kLocal, 0, kRanks, 0, kAll).v(wire).v(there);
      if (!known) return words.i(rank);
      for (int64_t from = 0; from < kRanks; ++from) words.i(of(from, rank * kLocal), of(from, rank * kLocal + 1));
      return words;
    };
    // From the rows of a rank to those of experts, or back.
    const auto exchange = [&](int64_t rank, uint32_t from, uint32_t to, bool back) {
      const auto own = [&](int64_t peer) {
        int64_t first = 0;
        for (int64_t other = 0; other < peer; ++other) first += between(rank, other);
        return static_cast<uint64_t>(first * row);
      };
      const auto wire = [&](int64_t peer) {
        int64_t first = 0;
        for (int64_t other = 0; other < peer; ++other) first += between(other, rank);
        return static_cast<uint64_t>(first * row);
      };
      for (int64_t peer = 0; peer < kRanks; ++peer) {
        if (!known) {
          if (peer == rank) {
            packed.kernel(32, Words().i(row).v(from).v(to).i(rank, back));
          } else {
            packed.kernel(33, Words().i(peer, row).v(from).i(rank, back));
            packed.kernel(34, Words().i(peer, row).v(to).i(rank, !back));
          }
          continue;
        }
        const int64_t out = (back ? between(peer, rank) : between(rank, peer)) * row;
        const int64_t in = (back ? between(rank, peer) : between(peer, rank)) * row;
        const uint64_t at = back ? wire(peer) : own(peer), there = back ? own(peer) : wire(peer);
        if (peer == rank) {
          if (out > 0) packed.copy(out, Words().v(from, at).v(to, there));
          continue;
        }
        if (out > 0) packed.send(peer, out, from, at);
        if (in > 0) packed.receive(peer, in, to, there);
      }
    };
    const Words head = Words().i(dtype, kTokens, kColumns, kChoices, kExperts);
    std::vector<uint32_t> before(kRanks);
    const auto task = [&](uint32_t number, bool communication, auto&& fill) {
      for (uint32_t rank = 0; rank < kRanks; ++rank) {
        const std::vector<uint32_t> waits = number == 0 ? std::vector<uint32_t>{} : std::vector{before[rank]};
        const uint32_t lane = communication ? SCHEMOE_INTRA : SCHEMOE_COMPUTE;
        before[rank] = packed.operation(number, rank, lane, {communication, -1, waits});
        fill(int64_t{rank});
      }
    };
    task(0, false, [&](int64_t rank) {
      if (!known) packed.kernel(81, Words().i(rank, kExperts, kRows).v(loads).i(kRanks, rank, kRoom));
      packed.kernel(25, places(Words(head).v(x).v(choices).v(positions).none().v(sent), rank));
    });
    task(1, true, [&](int64_t rank) { exchange(rank, sent, arrived, false); });
    task(2, false, [&](int64_t rank) {
      packed.kernel(26, arranged(rank, arrived, rows));
      packed.kernel(4, ranges(block(rank).m(rows, kColumns, 0).m(a, kColumns, 0).m(y, kColumns, 0).i(SCHEMOE_SILU), rank));
      packed.kernel(6, ranges(block(rank).m(y, kColumns, 0).v(sums).i(kColumns, 0), rank));
      packed.kernel(27, arranged(rank, leaving, y));
    });
    task(3, true, [&](int64_t rank) { exchange(rank, leaving, returned, true); });
    task(4, false, [&](int64_t rank) {
      packed.kernel(13, places(Words(head).v(returned).v(choices).v(positions).none().v(out).i(0), rank));
    });
    return packed;
  }
};
