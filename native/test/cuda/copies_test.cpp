// Copies from rank to rank, by kernels and by copy engines: the same bytes.
#include "exchange.h"

namespace {

void exchanges(uint32_t ranks, uint64_t slice, const Gpus& gpus) {
  Engine engine(ranks, gpus);
  CHECK_EQUAL(std::string(engine.error.text), std::string());
  Exchange exchange(engine, slice);
  Packed packed(ranks);
  exchange.add(packed, 0);
  Prepared prepared(engine, packed);
  // The later runs are launched as a graph where that is possible.
  for (uint32_t run = 0; run < 3; ++run) {
    exchange.fill(run);
    CHECK_EQUAL(prepared.run(), "");
    exchange.check();
  }
}

/// Two phases in a row: what was received is sent on, and what was sent may be overwritten.
void forwards(uint32_t copy_by) {
  constexpr uint64_t kBytes = 3 << 20;
  Engine engine(2, Gpus{copy_by, {}});
  const uint32_t a = engine.allocate(kBytes), b = engine.allocate(kBytes);
  Packed packed(2);
  for (uint32_t turn = 0; turn < 9; ++turn) {
    const uint32_t from = turn % 2 == 0 ? a : b, to = turn % 2 == 0 ? b : a;
    for (uint32_t r = 0; r < 2; ++r) {
      packed.operation(turn, r, 1, {true, -1, {}});
      packed.send(1 - r, kBytes, from);
      packed.receive(1 - r, kBytes, to);
    }
  }
  std::vector<std::vector<uint8_t>> data(2, std::vector<uint8_t>(kBytes));
  for (uint32_t r = 0; r < 2; ++r) {
    for (size_t i = 0; i < kBytes; ++i) data[r][i] = static_cast<uint8_t>(i * (r + 3) >> 3);
    engine.write(a, r, data[r]);
  }
  CHECK_EQUAL(engine.run(packed), "");
  for (uint32_t r = 0; r < 2; ++r) CHECK(engine.read(b, r, kBytes) == data[1 - r]);
}

}  // namespace

int main() {
  if (const auto returned = without_gpu()) return *returned;
  for (uint32_t copy_by : {0, 1, 2}) {
    for (uint32_t ranks : {1, 2, 5}) exchanges(ranks, 70'001, {copy_by, {}});
    // So much that copies by kernels go beside those by engines.
    exchanges(2, 3'000'001, {copy_by, {}});
    forwards(copy_by);
  }
  return check::result();
}
