// Worlds of several engines, each with some of the ranks, that send to each other over TCP. They live
// in one process here, so that a sanitizer sees all of them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "random_program.h"

namespace {

using Key = std::array<uint8_t, 32>;
constexpr uint64_t kSecond = 1'000'000'000;

uint64_t now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::steady_clock::now().time_since_epoch()).count());
}

/// One engine of a world.
struct Part {
  Part(uint32_t ranks, uint32_t first, uint32_t count, const Key& key) {
    const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, ranks, 0, {}};
    CHECK_EQUAL(schemoe_open_part(&config, first, count, "127.0.0.1", key.data(), &port, &handle, &error),
                SCHEMOE_OK);
  }
  ~Part() { close(); }
  Part(const Part&) = delete;

  void close() {
    if (!handle) return;
    schemoe_failure text;
    if (program) CHECK_EQUAL(schemoe_release(program, &text), SCHEMOE_OK);
    CHECK_EQUAL(schemoe_close(std::exchange(handle, nullptr), &text), SCHEMOE_OK);
  }
  Outcome connect(const std::vector<schemoe_process>& table, uint32_t self, uint64_t limit = 10 * kSecond) {
    schemoe_failure text;
    const int32_t status = schemoe_connect(handle, table.data(), static_cast<uint32_t>(table.size()), self, limit, &text);
    return {status, check::said(text)};
  }
  void prepare(const Packed& packed) {
    if (program) CHECK_EQUAL(schemoe_release(program, &error), SCHEMOE_OK);
    const std::vector<uint8_t> bytes = packed.bytes();
    CHECK_EQUAL(schemoe_prepare(handle, bytes.data(), bytes.size(), &program, &error), SCHEMOE_OK);
    events.assign(packed.records.size(), {});
  }
  Outcome run(uint64_t number, uint64_t start, uint64_t limit) {
    schemoe_failure text;
    int32_t status = schemoe_expect(handle, number, start, &text);
    if (status == SCHEMOE_OK) status = schemoe_run(handle, program, limit, events.data(), events.size(), &text);
    return {status, check::said(text)};
  }

  schemoe_engine* handle = nullptr;
  schemoe_program* program = nullptr;
  uint32_t port = 0;
  std::vector<schemoe_event> events;
  schemoe_failure error;
};

struct World {
  World(uint32_t ranks, uint32_t processes) : ranks(ranks) {
    for (uint32_t p = 0; p < processes; ++p) {
      const uint32_t first = ranks * p / processes, count = ranks * (p + 1) / processes - first;
      parts.push_back(std::make_unique<Part>(ranks, first, count, key));
      table.push_back({first, count, parts.back()->port, 1000 + p, "127.0.0.1"});
    }
  }
  template <class Body>
  std::vector<Outcome> all(Body&& body) {
    std::vector<std::future<Outcome>> futures;
    for (uint32_t p = 0; p < parts.size(); ++p) futures.push_back(std::async(std::launch::async, [&, p] { return body(*parts[p], p); }));
    std::vector<Outcome> outcomes;
    for (auto& future : futures) outcomes.push_back(future.get());
    return outcomes;
  }
  void connect() {
    for (const Outcome& outcome : all([&](Part& part, uint32_t p) { return part.connect(table, p); })) {
      CHECK_EQUAL(outcome.text, "");
    }
  }
  uint32_t allocate(uint64_t bytes) {
    uint32_t id = UINT32_MAX;
    const std::vector<uint64_t> sizes(ranks, bytes);
    CHECK_EQUAL(schemoe_allocate(parts[0]->handle, sizes.data(), ranks, &id, &error), SCHEMOE_OK);
    return id;
  }
  std::vector<Outcome> run(uint64_t number, uint64_t limit = 60 * kSecond) {
    const uint64_t start = now() + kSecond / 1000;
    return all([&](Part& part, uint32_t) { return part.run(number, start, limit); });
  }

  const uint32_t ranks;
  const Key key{1, 2, 3};
  std::vector<std::unique_ptr<Part>> parts;
  std::vector<schemoe_process> table;
  schemoe_failure error;
};

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

/// Rank 0 sends to rank 1, in two processes.
Packed exchange(uint64_t b, int64_t bytes, uint32_t task = 0) {
  Packed packed(2);
  packed.operation(task, 0, 1, {true});
  packed.send(1, bytes, b);
  packed.operation(task, 1, 1, {true});
  packed.receive(0, bytes, b);
  return packed;
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

int dial(uint32_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_EQUAL(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

/// Noise at the door neither lets anybody in nor keeps the others out; a wrong key does not open.
void check_strangers() {
  {
    World world(2, 2);
    const int noise = dial(world.parts[0]->port), silent = dial(world.parts[0]->port);
    const std::vector<char> bytes(4096, 'x');
    CHECK(send(noise, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
    world.connect();
    close(noise);
    close(silent);
  }
  World world(2, 2);
  Part stranger(2, 1, 1, Key{9});
  auto waiting = std::async(std::launch::async, [&] { return world.parts[0]->connect(world.table, 0, kSecond); });
  CHECK_EQUAL(stranger.connect(world.table, 1, kSecond).status, SCHEMOE_PEER);
  const Outcome outcome = waiting.get();
  CHECK_EQUAL(outcome.status, SCHEMOE_PEER);
  CHECK(outcome.text.find("process 1 (pid 1001") != std::string::npos);
}

}  // namespace

int main() {
  for (uint32_t processes : {1, 2, 3, 4}) check_random(4, processes);
  check_random(3, 2);
  check_large();
  check_memory();
  check_disagreement();
  check_loss();
  check_strangers();
  return check::result();
}
