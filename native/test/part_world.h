// Worlds of several engines, each with some of the ranks, that send to each other over TCP. They live
// in one process here, so that a sanitizer sees all of them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "random_program.h"


using Key = std::array<uint8_t, 32>;
constexpr uint64_t kSecond = 1'000'000'000;

inline uint64_t now() {
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

/// Rank 0 sends to rank 1, in two processes.
inline Packed exchange(uint64_t b, int64_t bytes, uint32_t task = 0) {
  Packed packed(2);
  packed.operation(task, 0, 1, {true});
  packed.send(1, bytes, b);
  packed.operation(task, 1, 1, {true});
  packed.receive(0, bytes, b);
  return packed;
}

inline sockaddr_in loopback(uint32_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline int dial(uint32_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  CHECK_EQUAL(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}
