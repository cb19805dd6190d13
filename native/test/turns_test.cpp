// Lists taken by turns, as copies from several senders are. Needs no GPU.
#include "check.h"
#include "cuda/turns.h"

int main() {
  std::vector<int> all{7};
  schemoe::cuda::take_turns<int>({{}, {10, 11, 12}, {20}, {30, 31}}, all);
  CHECK(all == std::vector<int>({7, 10, 20, 30, 11, 31, 12}));
  schemoe::cuda::take_turns<int>({}, all);
  CHECK_EQUAL(all.size(), size_t{7});
  return check::result();
}
