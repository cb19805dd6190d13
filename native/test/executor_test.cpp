// Random Programs against running their operations one after another; stopped in mid-run, they run again.
#include <algorithm>
#include <thread>

#include "library.h"

namespace {

/// Each operation writes a float of its own, `slot` = its index, from floats of what it waits for.
struct Random {
  uint32_t ranks;
  Packed packed{1};
  /// What each slot holds on each rank after a run in the total order.
  std::vector<std::vector<float>> expected;
};

Random make(std::mt19937& generator, uint32_t ranks, uint32_t tasks, uint64_t b, bool paced) {
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

/// Runs a Program from its beginning and compares what each rank then holds.
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
    const Random r = make(generator, kRanks, kTasks, b, true);
    schemoe_program* program = engine.prepare(r.packed);
    std::vector<schemoe_event> events(r.packed.records.size());
    std::thread canceller([&, after = generator() % 3000] {
      char text[256];
      std::this_thread::sleep_for(std::chrono::microseconds(after));
      CHECK_EQUAL(schemoe_cancel(engine.handle, text, sizeof text), SCHEMOE_OK);
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
      const Random r = make(generator, ranks, tasks, b, time % 3 == 0);
      schemoe_program* program = engine.prepare(r.packed);
      std::vector<schemoe_event> events(r.packed.records.size());
      // The same Program again gives the same.
      for (int again = 0; again < 3; ++again) check_run(engine, program, r, b, events);
    }
  }
  return check::result();
}
