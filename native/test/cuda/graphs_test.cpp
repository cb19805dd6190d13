// Programs that run as one graph, beside the same enqueued operation by operation.
#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "both.h"

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

/// What all cases share: ranks that multiply, exchange on two lanes, and add up, in two rounds; what they
/// find is added to a total that grows from run to run.
struct Mixed {
  static constexpr int64_t kSide = 96;
  static constexpr uint64_t kBytes = kSide * kSide * 4;

  Mixed(Engine& engine, uint32_t ranks) : ranks(ranks), packed(ranks) {
    x = engine.allocate(kBytes);
    product = engine.allocate(kBytes * ranks);
    received = engine.allocate(kBytes * ranks);
    sum = engine.allocate(kBytes);
    total = engine.allocate(kSide * 4);
    for (uint32_t r = 0; r < ranks; ++r) fill(engine, r);
    for (uint32_t task = 0; task < 6; task += 3) round(task);
    const auto before = static_cast<uint32_t>(packed.records.size());
    for (uint32_t r = 0; r < ranks; ++r) {
      packed.operation(6, r, 0, {false, -1, {before - ranks + r}});
      packed.kernel(6, Words().i(0, 1, kSide, kSide).m(sum, kSide, 0).v(total).i(0, 1));
    }
  }

  void fill(Engine& engine, uint32_t rank) const {
    std::mt19937 generator(rank + 1);
    std::uniform_real_distribution<float> value(-1, 1);
    std::vector<float> values(kSide * kSide);
    for (float& v : values) v = value(generator);
    std::vector<uint8_t> bytes(kBytes);
    std::memcpy(bytes.data(), values.data(), kBytes);
    engine.write(x, rank, bytes);
    engine.write(total, rank, std::vector<uint8_t>(kSide * 4));
  }

  void round(uint32_t task) {
    const auto before = static_cast<uint32_t>(packed.records.size());
    const auto after = [&](uint32_t r) {
      return task == 0 ? std::vector<uint32_t>{} : std::vector<uint32_t>{before - ranks + r};
    };
    for (uint32_t r = 0; r < ranks; ++r) {
      packed.operation(task, r, 0, {false, -1, after(r)});
      for (uint32_t p = 0; p < ranks; ++p) {
        packed.kernel(1, Words().i(0, 0, 0, p % 2, 1, kSide, kSide, kSide).m(task == 0 ? x : sum, kSide, 0)
                             .m(x, kSide, 0).m(product, kSide, 0, p * kBytes).f(1.0 / 16).f(0).none().i(0, 0));
      }
    }
    for (uint32_t r = 0; r < ranks; ++r) {
      packed.operation(task + 1, r, 1 + r % 2, {true, -1, {before + r}});
      packed.copy(kBytes, Words().v(product, r * kBytes).v(received, r * kBytes));
      for (uint32_t p = 0; p < ranks; ++p) {
        if (p == r) continue;
        packed.send(p, kBytes, product, p * kBytes);
        packed.receive(p, kBytes, received, p * kBytes);
      }
    }
    for (uint32_t r = 0; r < ranks; ++r) {
      packed.operation(task + 2, r, 0, {false, -1, {before + ranks + r}});
      packed.kernel(18, Words().i(ranks, kSide * kSide, kSide * kSide).v(received).v(sum));
    }
  }

  std::vector<std::vector<uint8_t>> results(Engine& engine) const {
    std::vector<std::vector<uint8_t>> all;
    for (uint32_t r = 0; r < ranks; ++r) {
      all.push_back(engine.read(sum, r, kBytes));
      all.push_back(engine.read(total, r, kSide * 4));
    }
    return all;
  }

  /// Nothing begins before what it waits for has ended, on its lane or another.
  void check_order(const std::vector<schemoe_event>& events) const {
    std::vector<uint64_t> lanes(ranks * 3, 0);
    for (size_t i = 0; i < events.size(); ++i) {
      const schemoe_operation& o = packed.records[i];
      const schemoe_event& e = events[i];
      uint64_t ready = 0;
      for (uint32_t w = 0; w < o.waits; ++w) ready = std::max(ready, events[packed.waits[o.first_wait + w]].end_ns);
      uint64_t& lane = lanes[o.rank * 3 + o.lane];
      CHECK(e.ready_ns == ready && e.start_ns >= ready && e.start_ns >= lane);
      CHECK(e.end_ns >= e.start_ns && e.wait_ns <= e.end_ns - e.start_ns);
      lane = e.end_ns;
    }
    CHECK(events.back().end_ns > 0);
  }

  const uint32_t ranks;
  Packed packed;
  uint32_t x, product, received, sum, total;
};

void same_bits(uint32_t ranks) {
  std::vector<std::vector<uint8_t>> expected[3];
  for (uint32_t flags : {SCHEMOE_NO_GRAPHS | 0u, 0u, SCHEMOE_NO_TIMES | 0u, SCHEMOE_NO_TIMES | SCHEMOE_NO_GRAPHS | 0u}) {
    Engine gpu(SCHEMOE_CUDA, ranks, flags);
    const Mixed mixed(gpu, ranks);
    Prepared program(gpu, mixed.packed);
    for (auto& of_run : expected) {
      CHECK_EQUAL(program.run(), "");
      if (of_run.empty()) of_run = mixed.results(gpu);
      CHECK(mixed.results(gpu) == of_run);
      if ((flags & SCHEMOE_NO_TIMES) == 0) mixed.check_order(program.events);
      else CHECK(program.events.back().end_ns == 0);
    }
  }
}

/// Between runs buffers get other addresses, and another Program needs more scratch memory.
void moving() {
  Engine gpu(SCHEMOE_CUDA, 2);
  const Mixed mixed(gpu, 2);
  const uint32_t large = gpu.allocate(96 * kMiB);
  Prepared program(gpu, mixed.packed);
  CHECK_EQUAL(program.run(), "");
  const auto expected = mixed.results(gpu);
  schemoe_failure text;
  for (uint64_t more = 1; more <= 3; ++more) {
    const std::vector<uint64_t> sizes(2, Mixed::kBytes + more * kMiB);
    uint32_t id = mixed.x;
    CHECK_EQUAL(schemoe_allocate(gpu.handle, sizes.data(), 2, &id, &text), SCHEMOE_OK);
    // What was there before is another buffer's now.
    const uint32_t taken = gpu.allocate(Mixed::kBytes);
    for (uint32_t r = 0; r < 2; ++r) mixed.fill(gpu, r);
    CHECK_EQUAL(program.run(), "");
    CHECK(mixed.results(gpu) == expected);
    // Overlapping bytes go through scratch memory.
    Packed overlapping(2);
    overlapping.operation(0, 0, 0, {});
    const auto bytes = static_cast<int64_t>((40 + 16 * more) * kMiB);
    overlapping.kernel(23, Words().i(bytes).v(large).v(large, 16));
    CHECK_EQUAL(gpu.run(overlapping), "");
    for (uint32_t r = 0; r < 2; ++r) mixed.fill(gpu, r);
    CHECK_EQUAL(program.run(), "");
    CHECK(mixed.results(gpu) == expected);
    gpu.free(taken);
  }
}

/// A graph cannot be stopped midway, but the run still says what became of it.
void stopping() {
  Engine gpu(SCHEMOE_CUDA, 1);
  const uint64_t bytes = 256 * kMiB;
  const uint32_t from = gpu.allocate(bytes), to = gpu.allocate(bytes);
  Packed packed(1);
  for (uint32_t task = 0; task < 40; ++task) {
    packed.operation(task, 0, 0, {});
    for (int i = 0; i < 75; ++i) packed.kernel(23, Words().i(static_cast<int64_t>(bytes)).v(from).v(to));
  }
  Prepared program(gpu, packed);
  CHECK_EQUAL(program.run(), "");
  const std::string late = program.run(0.02);
  CHECK_CONTAINS(late, "Cannot finish the run in 0.02 s: task #");
  CHECK_CONTAINS(late, "on rank 0 (compute lane) is computing");
  std::thread cancelled([&] {
    schemoe_failure text;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK_EQUAL(schemoe_cancel(gpu.handle, &text), SCHEMOE_OK);
  });
  CHECK_CONTAINS(program.run(), "it was cancelled");
  cancelled.join();
  CHECK_EQUAL(program.run(), "");
}

/// A Program that cannot be run for want of memory leaves the engine as it was.
void too_large() {
  Engine gpu(SCHEMOE_CUDA, 2);
  const Mixed mixed(gpu, 2);
  Prepared program(gpu, mixed.packed);
  CHECK_EQUAL(program.run(), "");
  const auto expected = mixed.results(gpu);
  size_t free = 0, total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  const auto bytes = static_cast<int64_t>(free / 10 * 6);
  std::vector<uint64_t> sizes{static_cast<uint64_t>(bytes) + 16, 16};
  uint32_t large = UINT32_MAX;
  CHECK_EQUAL(schemoe_allocate(gpu.handle, sizes.data(), 2, &large, &gpu.error), SCHEMOE_OK);
  Packed overlapping(2);
  overlapping.operation(0, 0, 0, {});
  overlapping.kernel(23, Words().i(bytes).v(large).v(large, 16));
  overlapping.operation(1, 1, 0, {false, -1, {0}});
  overlapping.kernel(23, Words().i(4).v(mixed.x).v(mixed.sum));
  {
    Prepared failing(gpu, overlapping);
    for (int run = 0; run < 2; ++run) {
      CHECK_CONTAINS(failing.run(), "Cannot run kernel copy_bytes: cudaMalloc");
    }
  }
  for (int run = 0; run < 2; ++run) {
    for (uint32_t r = 0; r < 2; ++r) mixed.fill(gpu, r);
    CHECK_EQUAL(program.run(), "");
    CHECK(mixed.results(gpu) == expected);
  }
}

void wrong_data() {
  Engine gpu(SCHEMOE_CUDA, 1);
  const uint32_t choices = gpu.allocate(16), positions = gpu.allocate(16), slots = gpu.allocate(64);
  Packed packed(1);
  packed.operation(7, 0, 0, {});
  packed.kernel(11, Words().i(4, 1, 4, 4).v(choices).v(positions).v(slots));
  Prepared program(gpu, packed);
  const auto write = [&](uint32_t id, const std::vector<int32_t>& values) {
    std::vector<uint8_t> bytes(values.size() * 4);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    gpu.write(id, 0, bytes);
  };
  write(positions, {0, 0, 0, 0});
  for (int again = 0; again < 2; ++again) {
    write(choices, {0, 1, 2, 3});
    for (int run = 0; run < 2; ++run) CHECK_EQUAL(program.run(), "");
    write(choices, {0, 1, 99, 3});
    for (int run = 0; run < 2; ++run) {
      CHECK_CONTAINS(program.run(), "Cannot run kernel slots: choices holds 99 of 4, in task #7 on rank 0");
    }
  }
}

uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, pages = 0;
  file >> total >> pages;
  return pages * 4096;
}

/// Leaks of a run are looked for in a thousand; others may use the GPU meanwhile.
void flat_memory() {
  Engine gpu(SCHEMOE_CUDA, 2);
  const Mixed mixed(gpu, 2);
  Prepared program(gpu, mixed.packed);
  size_t free_first = 0, free_last = 0, total = 0;
  CHECK_EQUAL(program.run(), "");
  CHECK(cudaMemGetInfo(&free_first, &total) == cudaSuccess);
  const uint64_t resident_first = resident();
  for (int run = 0; run < 1000; ++run) CHECK_EQUAL(program.run(), "");
  CHECK(cudaMemGetInfo(&free_last, &total) == cudaSuccess);
  std::printf("after 1 and 1001 runs: %zu and %zu bytes free on the GPU, %llu and %llu resident\n", free_first, free_last,
              static_cast<unsigned long long>(resident_first), static_cast<unsigned long long>(resident()));
  CHECK(free_last + 32 * kMiB >= free_first);
  CHECK(resident() <= resident_first + 8 * kMiB);
}

/// Programs that are gone leave nothing.
void released() {
  Engine gpu(SCHEMOE_CUDA, 2);
  const Mixed mixed(gpu, 2);
  size_t free_first = 0, free_last = 0, total = 0;
  for (int turn = 0; turn < 200; ++turn) {
    Prepared program(gpu, mixed.packed);
    for (int run = 0; run < 3; ++run) CHECK_EQUAL(program.run(), "");
    if (turn == 0) CHECK(cudaMemGetInfo(&free_first, &total) == cudaSuccess);
  }
  CHECK(cudaMemGetInfo(&free_last, &total) == cudaSuccess);
  std::printf("after 1 and 200 Programs: %zu and %zu bytes free on the GPU\n", free_first, free_last);
  CHECK(free_last + 32 * kMiB >= free_first);
}

}  // namespace

/// With an argument, without what takes long under a checker of memory.
int main(int count, char**) {
  {
    const Engine probe(SCHEMOE_CUDA, 1);
    if (!probe.handle) {
      std::printf("%s\n", probe.error.text);
      return probe.status == SCHEMOE_UNSUPPORTED ? kSkipped : 1;
    }
  }
  for (uint32_t ranks : {1, 2, 5}) same_bits(ranks);
  moving();
  wrong_data();
  if (count == 1) {
    stopping();
    too_large();
    flat_memory();
    released();
  }
  return check::result();
}
