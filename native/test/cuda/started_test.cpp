// Runs that one call begins and others end, beside those of one call.
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "both.h"

namespace {

constexpr int64_t kCount = 1000;
constexpr uint64_t kBytes = 4 * kCount;
constexpr uint32_t kRanks = 2;

/// Each rank fills its buffer, both exchange, each adds up.
struct Exchange {
  explicit Exchange(Engine& engine, double seconds = -1, bool hosts = false) : packed(kRanks) {
    from = engine.allocate(kBytes * kRanks), to = engine.allocate(kBytes * kRanks), sum = engine.allocate(kBytes);
    for (uint32_t r = 0; r < kRanks; ++r) {
      packed.operation(0, r, 0, {});
      if (hosts) packed.kernel(22, Words().i(r));
      packed.kernel(20, Words().i(kCount * kRanks).v(from).f(r + 1));
    }
    for (uint32_t r = 0; r < kRanks; ++r) {
      packed.operation(1, r, 1, {true, seconds, {r}});
      packed.copy(kBytes, Words().v(from, r * kBytes).v(to, r * kBytes));
      packed.send(1 - r, kBytes, from, (1 - r) * kBytes);
      packed.receive(1 - r, kBytes, to, (1 - r) * kBytes);
    }
    for (uint32_t r = 0; r < kRanks; ++r) {
      packed.operation(2, r, 0, {false, -1, {kRanks + r}});
      packed.kernel(18, Words().i(kRanks, kCount, kCount).v(to).v(sum));
    }
  }

  /// Of each rank alone and of all at once, in whole and in part.
  std::vector<std::vector<uint8_t>> results(Engine& engine) const {
    const std::vector<std::vector<uint8_t>> each{engine.read(sum, 0, kBytes), engine.read(sum, 1, kBytes)};
    for (const uint64_t offset : {uint64_t{0}, kBytes / 2}) {
      const uint64_t bytes = kBytes - offset;
      std::vector<uint8_t> all(kRanks * bytes);
      CHECK_EQUAL(schemoe_read_all(engine.handle, sum, offset, all.data(), bytes, &engine.error), SCHEMOE_OK);
      for (uint32_t r = 0; r < kRanks; ++r) {
        CHECK(std::equal(each[r].begin() + static_cast<std::ptrdiff_t>(offset), each[r].end(),
                         all.begin() + static_cast<std::ptrdiff_t>(r * bytes)));
      }
    }
    return each;
  }
  void forget(Engine& engine) const {
    for (uint32_t r = 0; r < kRanks; ++r) engine.write(sum, r, std::vector<uint8_t>(kBytes, 0xff));
  }
  void check_times(const std::vector<schemoe_event>& events) const {
    for (size_t i = 0; i < events.size(); ++i) {
      const schemoe_operation& o = packed.records[i];
      uint64_t ready = 0;
      for (uint32_t w = 0; w < o.waits; ++w) ready = std::max(ready, events[packed.waits[o.first_wait + w]].end_ns);
      const schemoe_event& e = events[i];
      CHECK(e.ready_ns == ready && e.start_ns >= ready && e.end_ns >= e.start_ns && e.wait_ns <= e.end_ns - e.start_ns);
    }
    CHECK(events.back().end_ns > 0);
  }

  Packed packed;
  uint32_t from, to, sum;
};

/// A Program that an engine keeps, run in three calls.
struct Calls {
  Calls(Engine& engine, const Packed& packed) : engine(engine), events(packed.records.size()) {
    const auto bytes = packed.bytes();
    CHECK_EQUAL(schemoe_prepare(engine.handle, bytes.data(), bytes.size(), &program, &text), SCHEMOE_OK);
  }
  ~Calls() {
    if (program) CHECK_EQUAL(schemoe_release(program, &text), SCHEMOE_OK);
  }
  Calls(const Calls&) = delete;

  std::string run() {
    schemoe_run(engine.handle, program, uint64_t{60'000'000'000}, events.data(), events.size(), &text);
    return check::said(text);
  }
  bool start(uint64_t limit_ns = 60'000'000'000) {
    uint32_t started = 7;
    CHECK_EQUAL(schemoe_start(engine.handle, program, limit_ns, &started, &text), SCHEMOE_OK);
    return started == 1;
  }
  /// Looks again and again until it is over, or waits for it in one call.
  std::string end(bool wait) {
    std::fill(events.begin(), events.end(), schemoe_event{1, 2, 3, 4});
    uint32_t ended = 0;
    while (schemoe_end(engine.handle, events.data(), events.size(), wait ? 1 : 0, &ended, &text) == SCHEMOE_OK && ended == 0) {
      CHECK(!wait);
    }
    return check::said(text);
  }

  Engine& engine;
  std::vector<schemoe_event> events;
  schemoe_program* program = nullptr;
  schemoe_failure text;
};

void same_as_one_call(uint32_t flags) {
  Engine gpu(SCHEMOE_CUDA, kRanks, flags);
  const Exchange exchange(gpu);
  Calls calls(gpu, exchange.packed);
  CHECK(!calls.start());  // its first run makes what later ones need
  CHECK_EQUAL(calls.run(), "");
  const auto expected = exchange.results(gpu);
  for (bool wait : {false, true, false}) {
    exchange.forget(gpu);
    CHECK(calls.start());
    CHECK_EQUAL(calls.end(wait), "");
    CHECK(exchange.results(gpu) == expected);
    if ((flags & SCHEMOE_NO_TIMES) == 0) exchange.check_times(calls.events);
    else CHECK(calls.events.back().start_ns == 0 && calls.events.back().end_ns == 0);
    exchange.forget(gpu);
    CHECK_EQUAL(calls.run(), "");
    CHECK(exchange.results(gpu) == expected);
  }
  // Buffers that move between runs.
  const std::vector<uint64_t> sizes(kRanks, 2 * kBytes);
  uint32_t id = exchange.sum;
  CHECK_EQUAL(schemoe_allocate(gpu.handle, sizes.data(), kRanks, &id, &gpu.error), SCHEMOE_OK);
  for (int again = 0; again < 2; ++again) {
    if (calls.start()) CHECK_EQUAL(calls.end(false), "");
    else CHECK_EQUAL(calls.run(), "");
    CHECK(exchange.results(gpu) == expected);
    exchange.forget(gpu);
  }
}

/// What waits for a host function or a clock is not begun so.
void too_long() {
  Engine gpu(SCHEMOE_CUDA, kRanks);
  const Exchange paced(gpu, 1e-3);
  Calls calls(gpu, paced.packed);
  CHECK_EQUAL(calls.run(), "");
  CHECK(!calls.start());
  const Exchange hosted(gpu, -1, true);
  Calls others(gpu, hosted.packed);
  std::thread served([&] {
    uint32_t operation, rank, id;
    schemoe_failure text;
    for (uint32_t r = 0; r < kRanks; ++r) {
      CHECK_EQUAL(schemoe_host_wait(gpu.handle, &operation, &rank, &id, &text), SCHEMOE_OK);
      CHECK_EQUAL(schemoe_host_done(gpu.handle, operation, 0, nullptr, &text), SCHEMOE_OK);
    }
  });
  CHECK_EQUAL(others.run(), "");
  served.join();
  CHECK(!others.start());
  Engine cpu(SCHEMOE_CPU, kRanks);
  const Exchange on_cpu(cpu);
  Calls third(cpu, on_cpu.packed);
  CHECK_EQUAL(third.run(), "");
  CHECK(!third.start());
  CHECK_CONTAINS(third.end(false), "Cannot end the run: none was started");
}

/// Meanwhile the engine is in use, and what is refused changes nothing.
void in_use() {
  Engine gpu(SCHEMOE_CUDA, kRanks);
  const Exchange exchange(gpu);
  Calls calls(gpu, exchange.packed), others(gpu, exchange.packed);
  for (Calls* each : {&calls, &others}) CHECK_EQUAL(each->run(), "");
  const auto expected = exchange.results(gpu);
  exchange.forget(gpu);
  CHECK(calls.start());
  uint32_t started = 1, id = UINT32_MAX, ended = 1;
  const std::vector<uint64_t> sizes(kRanks, kBytes);
  schemoe_failure text;
  CHECK_EQUAL(schemoe_start(gpu.handle, others.program, 0, &started, &text), SCHEMOE_BUSY);
  CHECK(started == 0);
  CHECK_CONTAINS(others.run(), "a run is in progress");
  CHECK_EQUAL(schemoe_allocate(gpu.handle, sizes.data(), kRanks, &id, &text), SCHEMOE_BUSY);
  CHECK_EQUAL(schemoe_release(calls.program, &text), SCHEMOE_BUSY);
  CHECK_EQUAL(schemoe_end(gpu.handle, calls.events.data(), 1, 1, &ended, &text), SCHEMOE_INVALID);
  CHECK(ended == 0);
  CHECK_CONTAINS(check::said(text), "Cannot end the run: its Program has 6 operations and there is room for 1 events");
  CHECK_EQUAL(schemoe_end(gpu.handle, nullptr, calls.events.size(), 1, &ended, &text), SCHEMOE_INVALID);
  CHECK_EQUAL(calls.end(true), "");
  CHECK(exchange.results(gpu) == expected);
  CHECK_CONTAINS(calls.end(false), "Cannot end the run: none was started");
  std::vector<uint8_t> all(kRanks * (kBytes + 4));
  CHECK_EQUAL(schemoe_read_all(gpu.handle, exchange.sum, 4, all.data(), kBytes, &text), SCHEMOE_INVALID);
  CHECK_CONTAINS(check::said(text), "Cannot read bytes 4 + 4000 of 4000");
  CHECK_EQUAL(schemoe_read_all(gpu.handle, UINT32_MAX, 0, all.data(), kBytes, &text), SCHEMOE_INVALID);
}

/// Failures are those of a run in one call, and the next run is none of theirs.
void failures() {
  Engine gpu(SCHEMOE_CUDA, kRanks);
  const Exchange exchange(gpu);
  Calls calls(gpu, exchange.packed);
  CHECK_EQUAL(calls.run(), "");
  const auto expected = exchange.results(gpu);
  CHECK(calls.start());
  CHECK_EQUAL(schemoe_cancel(gpu.handle, &gpu.error), SCHEMOE_OK);
  CHECK_CONTAINS(calls.end(false), "Cannot finish the run: it was cancelled");
  for (bool wait : {false, true}) {
    CHECK(calls.start(1));
    CHECK_CONTAINS(calls.end(wait), "Cannot finish the run in 1e-09 s");
  }
  CHECK(calls.start(0));  // no limit
  CHECK_EQUAL(calls.end(false), "");
  CHECK(calls.start());
  CHECK_EQUAL(calls.end(false), "");
  CHECK(exchange.results(gpu) == expected);

  const uint32_t choices = gpu.allocate(16), positions = gpu.allocate(16), slots = gpu.allocate(64);
  const auto write = [&](uint32_t id, const std::vector<int32_t>& values) {
    std::vector<uint8_t> bytes(values.size() * 4);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    gpu.write(id, 0, bytes);
  };
  Packed packed(kRanks);
  packed.operation(7, 0, 0, {});
  packed.kernel(11, Words().i(4, 1, 4, 4).v(choices).v(positions).v(slots));
  packed.operation(7, 1, 0, {});
  Calls wrong(gpu, packed);
  write(positions, {0, 0, 0, 0});
  write(choices, {0, 1, 2, 3});
  for (int run = 0; run < 2; ++run) CHECK_EQUAL(wrong.run(), "");
  for (bool wait : {false, true}) {
    write(choices, {0, 1, 99, 3});
    CHECK(wrong.start());
    CHECK_CONTAINS(wrong.end(wait), "Cannot run kernel slots: choices holds 99 of 4, in task #7 on rank 0");
    write(choices, {0, 1, 2, 3});
    CHECK(wrong.start());
    CHECK_EQUAL(wrong.end(wait), "");
  }
}

/// An engine that is closed ends what nobody has ended.
void closing() {
  auto gpu = std::make_unique<Engine>(SCHEMOE_CUDA, kRanks);
  const Exchange exchange(*gpu);
  Calls calls(*gpu, exchange.packed);
  CHECK_EQUAL(calls.run(), "");
  CHECK(calls.start());
  schemoe_engine* handle = gpu->handle;
  schemoe_program* program = std::exchange(calls.program, nullptr);
  gpu.reset();
  schemoe_failure text;
  uint32_t ended = 1;
  CHECK_EQUAL(schemoe_end(handle, calls.events.data(), calls.events.size(), 1, &ended, &text), SCHEMOE_CLOSED);
  CHECK(ended == 0);
  CHECK_EQUAL(schemoe_release(program, &text), SCHEMOE_OK);
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  for (uint32_t flags : {0u, SCHEMOE_NO_GRAPHS | 0u, SCHEMOE_NO_TIMES | 0u}) same_as_one_call(flags);
  too_long();
  in_use();
  failures();
  closing();
  return check::result();
}
