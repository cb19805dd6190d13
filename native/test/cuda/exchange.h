// All ranks send to all others in pieces of odd sizes, some of which follow each other and some do not.
#pragma once

#include <algorithm>

#include "both.h"

class Exchange {
 public:
  /// Of `slice` bytes from each rank to each.
  Exchange(Engine& engine, uint64_t slice) : engine_(engine), slice_(slice) {
    from_ = engine.allocate(slice_ * engine.ranks);
    to_ = engine.allocate(slice_ * engine.ranks);
  }

  /// As task `task`, on a lane of each rank's own.
  void add(Packed& packed, uint32_t task) {
    const uint32_t ranks = engine_.ranks;
    for (uint32_t r = 0; r < ranks; ++r) {
      packed.operation(task, r, 1 + r % 2, {true, -1, {}});
      packed.copy(static_cast<int64_t>(slice_), Words().v(from_, r * slice_).v(to_, r * slice_));
      for (uint32_t p = 0; p < ranks; ++p) {
        if (p == r) continue;
        for (const auto& [at, bytes] : pieces(r, p)) packed.send(p, bytes, from_, p * slice_ + at);
        for (const auto& [at, bytes] : pieces(p, r)) packed.receive(p, bytes, to_, p * slice_ + at);
      }
    }
  }

  /// New bytes to send, and nothing received.
  void fill(uint32_t seed) {
    std::mt19937 generator(seed);
    sent_.assign(engine_.ranks, std::vector<uint8_t>(slice_ * engine_.ranks));
    for (uint32_t r = 0; r < engine_.ranks; ++r) {
      for (uint8_t& byte : sent_[r]) byte = static_cast<uint8_t>(generator());
      engine_.write(from_, r, sent_[r]);
      engine_.write(to_, r, std::vector<uint8_t>(slice_ * engine_.ranks));
    }
  }

  void check() {
    for (uint32_t r = 0; r < engine_.ranks; ++r) {
      const auto received = engine_.read(to_, r, slice_ * engine_.ranks);
      for (uint32_t p = 0; p < engine_.ranks; ++p) {
        const auto* expected = sent_[p].data() + r * slice_;
        const bool same = std::equal(expected, expected + slice_, received.data() + p * slice_);
        check::that(same, "rank " + std::to_string(r) + " has other bytes than rank " + std::to_string(p) + " sent",
                    __FILE__, __LINE__);
      }
    }
  }

 private:
  struct Piece {
    uint64_t at;
    int64_t bytes;
  };
  /// Of a slice from one rank to another, in the order in which both post them.
  std::vector<Piece> pieces(uint32_t sender, uint32_t receiver) const {
    std::mt19937 generator(sender * 31 + receiver);
    std::vector<uint64_t> cuts{0, slice_};
    for (int i = 0; i < 3; ++i) cuts.push_back(1 + generator() % (slice_ - 1));
    std::sort(cuts.begin(), cuts.end());
    std::vector<Piece> list;
    for (size_t i = 1; i < cuts.size(); ++i) {
      if (cuts[i] > cuts[i - 1]) list.push_back({cuts[i - 1], static_cast<int64_t>(cuts[i] - cuts[i - 1])});
    }
    if ((sender + receiver) % 2 == 1) std::swap(list.front(), list.back());
    return list;
  }

  Engine& engine_;
  const uint64_t slice_;
  uint32_t from_ = 0, to_ = 0;
  std::vector<std::vector<uint8_t>> sent_;
};
