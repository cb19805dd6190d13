// The CUDA engine beyond single kernels: transfers between ranks, pacing, hosts, cancelling, memory.
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "both.h"

namespace {

Words fill(uint32_t buffer, int64_t count, double value) { return Words().i(count).v(buffer).f(value); }

std::vector<float> floats(const std::vector<uint8_t>& bytes) {
  std::vector<float> list(bytes.size() / 4);
  std::memcpy(list.data(), bytes.data(), bytes.size());
  return list;
}

/// Each rank fills its buffer, all exchange, each adds up: again and again the same Program.
Packed exchange(uint32_t ranks, int64_t count, uint32_t from, uint32_t to, uint32_t sum, double seconds) {
  Packed packed(ranks);
  for (uint32_t r = 0; r < ranks; ++r) {
    packed.operation(0, r, 0, {});
    packed.kernel(20, fill(from, count * ranks, r + 1));
  }
  for (uint32_t r = 0; r < ranks; ++r) {
    packed.operation(1, r, 1 + r % 2, {true, seconds, {r}});
    const auto bytes = static_cast<uint64_t>(4 * count);
    packed.copy(4 * count, Words().v(from, r * bytes).v(to, r * bytes));
    for (uint32_t p = 0; p < ranks; ++p) {
      if (p == r) continue;
      packed.send(p, 4 * count, from, p * bytes);
      packed.receive(p, 4 * count, to, p * bytes);
    }
  }
  for (uint32_t r = 0; r < ranks; ++r) {
    packed.operation(2, r, 0, {false, -1, {ranks + r}});
    packed.kernel(18, Words().i(ranks, count, count).v(to).v(sum));
  }
  return packed;
}

void transfers(uint32_t ranks, int64_t count, double seconds) {
  Engine gpu(SCHEMOE_CUDA, ranks);
  const auto bytes = static_cast<uint64_t>(4 * count);
  const uint32_t from = gpu.allocate(bytes * ranks), to = gpu.allocate(bytes * ranks), sum = gpu.allocate(bytes);
  CHECK_EQUAL(gpu.run(exchange(ranks, count, from, to, sum, seconds)), "");
  for (uint32_t r = 0; r < ranks; ++r) {
    const auto sums = floats(gpu.read(sum, r, bytes));
    const float expected = static_cast<float>(ranks * (ranks + 1)) / 2;
    CHECK(sums.front() == expected && sums.back() == expected);
    const schemoe_event& event = gpu.events[ranks + r];
    CHECK(event.ready_ns <= event.start_ns && event.start_ns + event.wait_ns <= event.end_ns);
    if (seconds > 0) {
      const double took = static_cast<double>(event.end_ns - event.start_ns - event.wait_ns) * 1e-9;
      check::that(took >= 0.99 * seconds && took < 1.5 * seconds + 1e-3,
                  "a phase of " + std::to_string(seconds) + " s took " + std::to_string(took), __FILE__, __LINE__);
    }
  }
}

/// A host kernel holds its lane alone; cancelling and time limits end a run that waits.
void hosts() {
  Engine gpu(SCHEMOE_CUDA, 2);
  Packed packed(2);
  for (uint32_t r = 0; r < 2; ++r) {
    packed.operation(0, r, 0, {});
    packed.kernel(22, Words().i(r + 7));
  }
  std::thread served([&] {
    uint32_t operations[2], rank, id;
    schemoe_failure text;
    for (uint32_t& operation : operations) {  // both wait at once
      CHECK_EQUAL(schemoe_host_wait(gpu.handle, &operation, &rank, &id, &text), SCHEMOE_OK);
      CHECK(id == rank + 7 && operation == rank);
    }
    for (uint32_t operation : operations) {
      CHECK_EQUAL(schemoe_host_done(gpu.handle, operation, 0, nullptr, &text), SCHEMOE_OK);
    }
  });
  CHECK_EQUAL(gpu.run(packed), "");
  served.join();
  CHECK_CONTAINS(gpu.run(packed, 0.05), "Cannot finish the run in 0.05 s: task #0 on rank 0 (compute lane) waits for its host function");
  CHECK_EQUAL(gpu.status, SCHEMOE_TIME_LIMIT);
  std::thread cancelled([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK_EQUAL(schemoe_cancel(gpu.handle, &gpu.error), SCHEMOE_OK);
  });
  CHECK_CONTAINS(gpu.run(packed), "it was cancelled");
  cancelled.join();
  // A long pace ends too, and the engine goes on.
  Packed slow(2);
  slow.operation(0, 0, 0, {false, 1000, {}});
  CHECK_CONTAINS(gpu.run(slow, 0.05), "task #0 on rank 0 (compute lane) is paced to 1000 s");
  const uint32_t buffer = gpu.allocate(16);
  Packed easy(2);
  easy.operation(0, 1, 0, {});
  easy.kernel(20, fill(buffer, 4, 3));
  CHECK_EQUAL(gpu.run(easy), "");
  CHECK(floats(gpu.read(buffer, 1, 16))[3] == 3);
}

void memory() {
  Engine gpu(SCHEMOE_CUDA, 1);
  const std::vector<uint64_t> sizes(1, uint64_t{1} << 42);
  uint32_t id = UINT32_MAX;
  schemoe_failure text;
  CHECK_EQUAL(schemoe_allocate(gpu.handle, sizes.data(), 1, &id, &text), SCHEMOE_OUT_OF_MEMORY);
  CHECK_CONTAINS(text.text, "Cannot allocate 4398046511104 bytes: ");
  const uint32_t buffer = gpu.allocate(1000);
  CHECK(gpu.read(buffer, 0, 1000) == std::vector<uint8_t>(1000, 0xff));
}

/// An engine ends before its Programs, which know its GPUs, or after them; and what has ended is refused by the next.
void orders() {
  constexpr int64_t kCount = 64;
  schemoe_failure text;
  for (bool closed_first : {true, false}) {
    Engine gpu(SCHEMOE_CUDA, 4);
    constexpr uint64_t kBytes = 4 * kCount;
    const uint32_t from = gpu.allocate(4 * kBytes), to = gpu.allocate(4 * kBytes), sum = gpu.allocate(kBytes);
    const auto bytes = exchange(4, kCount, from, to, sum, 0).bytes();
    schemoe_program* program = nullptr;
    CHECK_EQUAL(schemoe_prepare(gpu.handle, bytes.data(), bytes.size(), &program, &text), SCHEMOE_OK);
    std::vector<schemoe_event> events(12);
    const auto run = [&](schemoe_engine* engine) {
      return schemoe_run(engine, program, 0, events.data(), events.size(), &text);
    };
    // As operations, captured, and as a graph.
    for (int time = 0; time < 3; ++time) CHECK_EQUAL(run(gpu.handle), SCHEMOE_OK);
    schemoe_engine* handle = std::exchange(gpu.handle, nullptr);
    if (!closed_first) CHECK_EQUAL(schemoe_release(program, &text), SCHEMOE_OK);
    CHECK_EQUAL(schemoe_close(handle, &text), SCHEMOE_OK);
    CHECK_EQUAL(run(handle), SCHEMOE_CLOSED);
    const Engine next(SCHEMOE_CUDA, 1);
    CHECK_EQUAL(run(next.handle), SCHEMOE_INVALID);
    CHECK_EQUAL(schemoe_release(program, &text), closed_first ? SCHEMOE_OK : SCHEMOE_INVALID);
  }
}

}  // namespace

int main() {
  if (const auto returned = without_gpu()) return *returned;
  for (uint32_t ranks : {1, 2, 5, 8}) transfers(ranks, 1001, 0);
  transfers(4, 1 << 20, 0);
  transfers(4, 1001, 0.01);
  hosts();
  memory();
  orders();
  return check::result();
}
