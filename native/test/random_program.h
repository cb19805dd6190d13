// Random Programs whose results are known.
#pragma once

#include <algorithm>
#include <cmath>

#include "library.h"

/// Each operation writes a float of its own, `slot` = its index, from floats of its dependencies.
struct Random {
  uint32_t ranks;
  Packed packed{1};
  /// Contents of each slot on each rank after a run in the total order.
  std::vector<std::vector<float>> expected;
};

inline Random make_random(std::mt19937& generator, uint32_t ranks, uint32_t tasks, uint64_t b, bool paced) {
  const uint32_t slots = tasks + 1;
  Random r{ranks, Packed(ranks), std::vector<std::vector<float>>(ranks, std::vector<float>(slots))};
  for (uint32_t rank = 0; rank < ranks; ++rank) r.expected[rank][0] = static_cast<float>(rank + 1);
  const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(generator() % below); };
  for (uint32_t task = 0; task < tasks; ++task) {
    const bool communication = pick(2);
    const uint32_t lane = communication ? 1 + pick(2) : 0;
    const uint32_t shift = pick(ranks);  // rank i sends to i + shift
    std::vector<uint32_t> sources(ranks);
    for (uint32_t& source : sources) source = pick(task + 1);
    const auto before = r.expected;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      std::vector<uint32_t> waits;
      const uint32_t second = pick(task + 1);
      // Slot s > 0 is written by task s - 1 on this rank.
      for (uint32_t slot : {sources[rank], second}) {
        if (slot > 0) waits.push_back((slot - 1) * ranks + rank);
      }
      if (task > 0 && pick(3) == 0) waits.push_back(pick(task * ranks));  // of any rank
      r.packed.operation(task, rank, lane, {communication, paced ? pick(20) * 1e-5 : -1, waits});
      const uint64_t out = 4 * (task + 1);
      if (communication) {
        const uint32_t from = (rank + ranks - shift) % ranks, to = (rank + shift) % ranks;
        if (shift == 0) r.packed.copy(4, Words().v(b, 4 * sources[rank]).v(b, out));
        else r.packed.send(to, 4, b, 4 * sources[rank]).receive(from, 4, b, out);
        r.expected[rank][task + 1] = before[from][sources[from]];
      } else {
        const uint32_t low = std::min(sources[rank], second), high = std::max(sources[rank], second);
        r.packed.kernel(18, Words().i(2, 1, high - low).v(b, 4 * low).v(b, out));
        r.expected[rank][task + 1] = before[rank][low] + before[rank][high];
      }
    }
  }
  return r;
}
