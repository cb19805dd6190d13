// Random Programs against running their operations one after another; stopped in mid-run, they run again.
#include <algorithm>
#include <thread>

#include "random_program.h"

namespace {

void check_events(const Packed& packed, const std::vector<schemoe_event>& events, uint32_t ranks) {
  std::vector<uint64_t> lane_end(ranks * 3);
  for (size_t i = 0; i < events.size(); ++i) {
    const schemoe_event& event = events[i];
    const schemoe_operation& operation = packed.records[i];
    CHECK(event.ready_ns <= event.start_ns && event.start_ns <= event.end_ns);
    CHECK(event.wait_ns <= event.end_ns - event.start_ns);
    uint64_t ready = 0;
    for (uint32_t w = 0; w < operation.waits; ++w) {
      ready = std::max(ready, events[packed.waits[operation.first_wait + w]].end_ns);
    }
    CHECK_EQUAL(event.ready_ns, ready);
    uint64_t& end = lane_end[operation.rank * 3 + operation.lane];
    CHECK(event.start_ns >= end);
    end = event.end_ns;
  }
}

/// Runs a Program from its beginning and compares the contents of each rank.
void check_run(Engine& engine, schemoe_program* program, const Random& r, uint32_t b, std::vector<schemoe_event>& events) {
  const auto slots = static_cast<uint32_t>(r.expected[0].size());
  for (uint32_t rank = 0; rank < r.ranks; ++rank) {
    std::vector<float> start(slots, NAN);
    start[0] = static_cast<float>(rank + 1);
    engine.write(b, rank, start);
  }
  CHECK_EQUAL(engine.run(program, events).text, "");
  for (uint32_t rank = 0; rank < r.ranks; ++rank) CHECK(engine.read<float>(b, rank, slots) == r.expected[rank]);
  check_events(r.packed, events, r.ranks);
}

/// Cancelled or out of time at any moment, a run ends, and the next one is as good as any.
void stopped_in_mid_run(std::mt19937& generator) {
  constexpr uint32_t kRanks = 4, kTasks = 60;
  Engine engine(2, 2);
  const uint32_t b = engine.allocate(4 * (kTasks + 1));
  int cancelled = 0, limited = 0;
  for (int time = 0; time < 30; ++time) {
    const Random r = make_random(generator, kRanks, kTasks, b, true);
    schemoe_program* program = engine.prepare(r.packed);
    std::vector<schemoe_event> events(r.packed.records.size());
    std::thread canceller([&, after = generator() % 3000] {
      schemoe_failure text;
      std::this_thread::sleep_for(std::chrono::microseconds(after));
      CHECK_EQUAL(schemoe_cancel(engine.handle, &text), SCHEMOE_OK);
    });
    const int32_t first = engine.run(program, events).status;
    canceller.join();
    CHECK(first == SCHEMOE_OK || first == SCHEMOE_CANCELLED);
    cancelled += first == SCHEMOE_CANCELLED;
    const int32_t second = engine.run(program, events, 1e-6 * static_cast<double>(1 + generator() % 2000)).status;
    CHECK(second == SCHEMOE_OK || second == SCHEMOE_TIME_LIMIT);
    limited += second == SCHEMOE_TIME_LIMIT;
    check_run(engine, program, r, b, events);
  }
  CHECK(cancelled > 0 && limited > 0);
}

}  // namespace

int main() {
  std::mt19937 generator(11);
  stopped_in_mid_run(generator);
  for (uint32_t ranks : {1, 2, 3, 8}) {
    Engine engine(1, ranks);
    const uint32_t tasks = 60;
    const uint32_t b = engine.allocate(4 * (tasks + 1));
    for (int time = 0; time < 12; ++time) {
      const Random r = make_random(generator, ranks, tasks, b, time % 3 == 0);
      schemoe_program* program = engine.prepare(r.packed);
      std::vector<schemoe_event> events(r.packed.records.size());
      // The same Program again gives the same.
      for (int again = 0; again < 3; ++again) check_run(engine, program, r, b, events);
    }
  }
  return check::result();
}
