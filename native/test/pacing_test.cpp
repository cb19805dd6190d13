// Paced operations take what they should, and being late does not add up.
#include <algorithm>

#include "library.h"

namespace {

double makespan(const std::vector<schemoe_event>& events) {
  uint64_t last = 0;
  for (const schemoe_event& event : events) last = std::max(last, event.end_ns);
  return static_cast<double>(last) * 1e-9;
}

// Loose, since the machine may be busy; the shortest of some runs shows whether pacing is right.
void takes(Engine& engine, const Packed& packed, double seconds) {
  schemoe_program* program = engine.prepare(packed);
  std::vector<schemoe_event> events(packed.records.size());
  double best = 1e9;
  for (int time = 0; time < 4; ++time) {
    CHECK_EQUAL(engine.run(program, events).text, "");
    CHECK(makespan(events) >= seconds * 0.999);
    best = std::min(best, makespan(events));
  }
  std::printf("%.6f s, ideal %.6f s\n", best, seconds);
  CHECK(best < 1.5 * seconds + 0.02);
}

}  // namespace

int main() {
  Engine engine(1, 2);
  const uint32_t b = engine.allocate(1 << 16);

  // A chain over the lanes of one rank.
  Packed chain(2);
  for (uint32_t i = 0; i < 100; ++i) {
    chain.operation(i, 0, i % 3, {.seconds = 0.0005, .waits = i ? std::vector<uint32_t>{i - 1} : std::vector<uint32_t>{}});
  }
  takes(engine, chain, 0.05);

  // Exchanges between two ranks, one after another on one lane: 0.3 and 0.2 ms.
  Packed exchange(2);
  for (uint32_t i = 0; i < 100; ++i) {
    for (uint32_t rank = 0; rank < 2; ++rank) {
      exchange.operation(i, rank, 2, {.communication = true, .seconds = rank ? 0.0003 : 0.0002});
      exchange.send(1 - rank, 1000, b).receive(1 - rank, 1000, b, 1024);
    }
  }
  takes(engine, exchange, 0.03);

  // A late sender: the receiver posts at 1 ms and its peer at 4 ms, then 2 ms pass.
  Packed late(2);
  late.operation(0, 0, 0, {.seconds = 0.001});
  late.operation(0, 1, 0, {.seconds = 0.004});
  for (uint32_t rank = 0; rank < 2; ++rank) {
    late.operation(1, rank, 1, {.communication = true, .seconds = 0.002, .waits = {rank}});
    if (rank == 0) late.receive(1, 8, b);
    else late.send(0, 8, b);
  }
  takes(engine, late, 0.006);
  CHECK_EQUAL(engine.run(late).text, "");
  const double waited = static_cast<double>(engine.events[2].wait_ns) * 1e-9;
  CHECK(waited > 0.002 && waited < 0.03);
  CHECK(engine.events[3].wait_ns == 0);
  // Lanes overlap: three of 5 ms each together.
  Packed together(2);
  for (uint32_t lane = 0; lane < 3; ++lane) together.operation(lane, 0, lane, {.seconds = 0.005});
  takes(engine, together, 0.005);
  return check::result();
}
