// Runs of worlds of several engines equal those of one engine, and failures name their culprit.
#include "part_world.h"

namespace {

void check_random(uint32_t ranks, uint32_t processes) {
  std::mt19937 generator(17);
  World world(ranks, processes);
  world.connect();
  const uint32_t tasks = 40;
  const uint32_t b = world.allocate(4 * (tasks + 1));
  schemoe_engine* driver = world.parts[0]->handle;
  schemoe_failure error;
  for (uint64_t time = 0; time < 6; ++time) {
    const Random r = make_random(generator, ranks, tasks, b, time % 3 == 0);
    for (const auto& part : world.parts) part->prepare(r.packed);
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      std::vector<float> start(tasks + 1, NAN);
      start[0] = static_cast<float>(rank + 1);
      CHECK_EQUAL(schemoe_write(driver, b, rank, 0, reinterpret_cast<const uint8_t*>(start.data()), 4 * start.size(),
                                &error), SCHEMOE_OK);
    }
    for (const Outcome& outcome : world.run(time + 1)) CHECK_EQUAL(outcome.text, "");
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      std::vector<float> got(tasks + 1);
      CHECK_EQUAL(schemoe_read(driver, b, rank, 0, reinterpret_cast<uint8_t*>(got.data()), 4 * got.size(), &error), SCHEMOE_OK);
      CHECK(got == r.expected[rank]);
    }
    // Of its own ranks each process has all times, and none of the others.
    for (size_t i = 0; i < r.packed.records.size(); ++i) {
      for (uint32_t p = 0; p < processes; ++p) {
        const schemoe_event& event = world.parts[p]->events[i];
        const bool own = r.packed.records[i].rank - world.table[p].first_rank < world.table[p].ranks;
        CHECK_EQUAL(event.end_ns > 0, own);
        CHECK(event.ready_ns <= event.start_ns && event.start_ns + event.wait_ns <= event.end_ns);
      }
    }
  }
}

/// Larger than a message of memory may be, and than a socket holds.
void check_large() {
  World world(2, 2);
  world.connect();
  const uint64_t bytes = 9'000'001;
  const uint32_t b = world.allocate(bytes);
  std::vector<uint8_t> data(bytes), got(bytes);
  for (uint64_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 7 >> 3);
  schemoe_failure error;
  schemoe_engine* driver = world.parts[0]->handle;
  CHECK_EQUAL(schemoe_write(driver, b, 0, 0, data.data(), bytes, &error), SCHEMOE_OK);
  for (const auto& part : world.parts) part->prepare(exchange(b, static_cast<int64_t>(bytes)));
  for (const Outcome& outcome : world.run(1)) CHECK_EQUAL(outcome.text, "");
  CHECK_EQUAL(schemoe_read(driver, b, 1, 0, got.data(), bytes, &error), SCHEMOE_OK);
  CHECK(got == data);
  CHECK_EQUAL(schemoe_write(driver, b, 1, 0, got.data(), bytes, &error), SCHEMOE_OK);
  CHECK_EQUAL(schemoe_write(driver, b, 1, 1, got.data(), bytes, &error), SCHEMOE_INVALID);
  CHECK_EQUAL(schemoe_read(driver, b, 2, 0, got.data(), 1, &error), SCHEMOE_INVALID);
  uint64_t at, wrong;
  int64_t offset;
  CHECK_EQUAL(schemoe_clock(driver, 1, &at, &offset, &wrong, &error), SCHEMOE_OK);
  // One machine has one clock.
  CHECK(static_cast<uint64_t>(std::abs(offset)) <= wrong);
}

/// Memory that one process has not: it is named, and all go on.
void check_memory() {
  World world(3, 3);
  world.connect();
  schemoe_failure error;
  uint32_t id = UINT32_MAX;
  const std::vector<uint64_t> sizes{4, 4, uint64_t{1} << 60};
  CHECK_EQUAL(schemoe_allocate(world.parts[0]->handle, sizes.data(), 3, &id, &error), SCHEMOE_OUT_OF_MEMORY);
  CHECK_CONTAINS(check::said(error), "process 2 (pid 1002 on 127.0.0.1, rank 2)");
  CHECK_EQUAL(id, UINT32_MAX);
  const uint32_t b = world.allocate(8);
  Packed packed(3);
  for (uint32_t rank = 0; rank < 3; ++rank) {
    packed.operation(0, rank, 1, {true});
    packed.send((rank + 1) % 3, 4, b).receive((rank + 2) % 3, 4, b, 4);
  }
  for (const auto& part : world.parts) part->prepare(packed);
  for (const Outcome& outcome : world.run(1)) CHECK_EQUAL(outcome.text, "");
}

void check_disagreement() {
  for (const Packed& other : {exchange(0, 8), exchange(0, 4, 1)}) {
    World world(2, 2);
    world.connect();
    CHECK_EQUAL(world.allocate(8), 0u);
    world.parts[0]->prepare(exchange(0, 4));
    world.parts[1]->prepare(other);
    const auto outcomes = world.run(1, 20 * kSecond);
    CHECK(outcomes[0].status == SCHEMOE_PEER || outcomes[1].status == SCHEMOE_PEER);
    bool named = false;
    for (const Outcome& outcome : outcomes) named |= outcome.text.find("its Program differs") != std::string::npos;
    CHECK(named);
    // Only closing is left.
    CHECK(world.run(2)[0].status != SCHEMOE_OK);
  }
}

void check_loss() {
  World world(2, 2);
  world.connect();
  const uint32_t b = world.allocate(4);
  for (const auto& part : world.parts) part->prepare(exchange(b, 4));
  std::thread closing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    world.parts[1]->close();
  });
  const Outcome outcome = world.parts[0]->run(1, now(), 20 * kSecond);
  closing.join();
  CHECK_EQUAL(outcome.status, SCHEMOE_PEER);
  CHECK(outcome.text.find("process 1 (pid 1001 on 127.0.0.1, rank 1)") != std::string::npos);
}

/// A beginning that is an hour away, as by a clock that is wrong: limit, cancel and close hold meanwhile.
void check_waiting() {
  World world(2, 2);
  world.connect();
  const uint32_t b = world.allocate(4);
  for (const auto& part : world.parts) part->prepare(exchange(b, 4));
  Part& part = *world.parts[0];
  const uint64_t hour = now() + 3600 * kSecond;
  const Outcome late = part.run(1, hour, kSecond / 20);
  CHECK_EQUAL(late.status, SCHEMOE_TIME_LIMIT);
  CHECK_CONTAINS(late.text, "Cannot finish the run in 0.05 s");
  const auto ended_by = [&](uint64_t number, auto&& end) {
    auto running = std::async(std::launch::async, [&] { return part.run(number, hour, 0); });
    // Again and again, since the run may not have come to its wait.
    while (running.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) end();
    return running.get();
  };
  schemoe_failure error;
  const Outcome cancelled = ended_by(2, [&] { CHECK_EQUAL(schemoe_cancel(part.handle, &error), SCHEMOE_OK); });
  CHECK_EQUAL(cancelled.status, SCHEMOE_CANCELLED);
  CHECK_CONTAINS(cancelled.text, "cancelled before it began");
}

}  // namespace

int main() {
  for (uint32_t processes : {1, 2, 3, 4}) check_random(4, processes);
  check_random(3, 2);
  check_large();
  check_memory();
  check_disagreement();
  check_loss();
  check_waiting();
  return check::result();
}
