// Lists taken by turns, as copies from several senders are. Needs no GPU.
#include "check.h"
#include "cuda/turns.h"

int main() {
  std::vector<int> all{7};
  schemoe::cuda::take_turns<int>({{}, {10, 11, 12}, {20}, {30, 31}}, all);
  CHECK(all == std::vector<int>({7, 10, 20, 30, 11, 31, 12}));
  schemoe::cuda::take_turns<int>({}, all);
  CHECK_EQUAL(all.size(), size_t{7});

  using schemoe::cuda::distance_of;
  for (uint32_t ranks = 1; ranks <= 9; ++ranks) {
    for (uint32_t rank = 0; rank < ranks; ++rank) CHECK_EQUAL(distance_of(rank, rank, ranks), 0u);
    for (uint32_t turn = 0; turn < ranks; ++turn) {
      // each rank's sender at this turn: all of them, once
      std::vector<int> readers(ranks);
      for (uint32_t rank = 0; rank < ranks; ++rank) {
        for (uint32_t sender = 0; sender < ranks; ++sender) readers[sender] += distance_of(sender, rank, ranks) == turn;
      }
      CHECK(readers == std::vector<int>(ranks, 1));
    }
  }
  return check::result();
}
