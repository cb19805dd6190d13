// Opening, memory, cancelling, time limits, failing, closing: the engine always goes on or ends.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <thread>

#include "library.h"

namespace {

schemoe_failure text;

Packed sleeping(uint32_t ranks, double seconds) {
  Packed packed(ranks);
  for (uint32_t rank = 0; rank < ranks; ++rank) packed.operation(0, rank, 0, {.seconds = seconds});
  for (uint32_t rank = 0; rank < ranks; ++rank) packed.operation(1, rank, 1, {.communication = true, .waits = {rank}});
  return packed;
}

void opening() {
  schemoe_engine* engine = nullptr;
  schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 2, 2, 0, {}};
  const auto open = [&] { return schemoe_open(&config, &engine, &text); };
  config.abi_version = 9;
  CHECK_EQUAL(open(), SCHEMOE_INVALID);
  CHECK_CONTAINS(text.text, "version 9");
  CHECK(text.status == SCHEMOE_INVALID && text.task == SCHEMOE_NONE && text.rank == SCHEMOE_NONE && text.buffer == SCHEMOE_NONE);
  config = {SCHEMOE_ABI_VERSION, SCHEMOE_CUDA, 2, 2, 0, {}};
  // A library with CUDA opens one, or says that there is no GPU.
  if (open() == SCHEMOE_OK) CHECK_EQUAL(schemoe_close(engine, &text), SCHEMOE_OK);
  else CHECK(text.status == SCHEMOE_UNSUPPORTED || text.status == SCHEMOE_DEVICE);
  engine = nullptr;
  config = {SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 65536, 65536, 0, {}};
  CHECK_EQUAL(open(), SCHEMOE_INVALID);
  config = {SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 1, 4, {}};
  CHECK_EQUAL(open(), SCHEMOE_INVALID);
  CHECK(engine == nullptr);
  CHECK_EQUAL(schemoe_open(nullptr, &engine, &text), SCHEMOE_INVALID);
  CHECK_EQUAL(schemoe_cancel(nullptr, &text), SCHEMOE_CLOSED);
  CHECK_EQUAL(schemoe_cancel(nullptr, nullptr), SCHEMOE_CLOSED);
  char json[8];
  CHECK_EQUAL(schemoe_describe(json, sizeof json, &text), SCHEMOE_INVALID);
}

/// Nanoseconds of the slices of a thread of this process; 0 where Linux does not tell.
uint64_t slice_of(pid_t thread) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  return syscall(SYS_sched_getattr, thread, &attributes, sizeof attributes, 0) == 0 ? attributes.runtime : 0;
}

/// Lanes of communication have shorter slices than computation, so that they need not wait for one of it.
void slices() {
  Engine engine(1, 2);
  CHECK_EQUAL(engine.run(sleeping(2, 0)).text, "");
  const uint64_t own = slice_of(0);
  int shorter = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    const uint64_t slice = slice_of(std::stoi(thread.path().filename()));
    if (slice > 0 && slice < own) ++shorter;
  }
  // those of the lanes that ran have it for certain, those of the other lane of a rank will
  if (own > 0) CHECK(shorter >= 2 && shorter <= 4);
  else CHECK_EQUAL(shorter, 0);
}

void memory() {
  Engine engine(1, 2);
  const uint32_t id = engine.allocate(8);
  engine.write(id, 1, std::vector<uint32_t>{1, 2});
  engine.allocate(8, id);  // the same size keeps what is there
  CHECK((engine.read<uint32_t>(id, 1, 2) == std::vector<uint32_t>{1, 2}));
  engine.allocate(16, id);
  CHECK((engine.read<uint32_t>(id, 1, 4) == std::vector<uint32_t>(4, UINT32_MAX)));
  uint8_t byte[32];
  const auto read = [&](uint32_t buffer, uint32_t rank, uint64_t offset, uint64_t bytes) {
    return schemoe_read(engine.handle, buffer, rank, offset, byte, bytes, &text);
  };
  CHECK_EQUAL(read(id, 0, 16, 0), SCHEMOE_OK);
  CHECK_EQUAL(read(id, 0, 17, 0), SCHEMOE_INVALID);
  CHECK_EQUAL(read(id, 0, 1, 16), SCHEMOE_INVALID);
  CHECK_EQUAL(read(id, 0, 8, UINT64_MAX), SCHEMOE_INVALID);
  CHECK_EQUAL(read(id, 2, 0, 1), SCHEMOE_INVALID);
  CHECK_EQUAL(read(id + 1, 0, 0, 1), SCHEMOE_INVALID);
  uint64_t huge[] = {uint64_t{1} << 50, 8};
  uint32_t other = UINT32_MAX;
  CHECK_EQUAL(schemoe_allocate(engine.handle, huge, 2, &other, &text), SCHEMOE_OUT_OF_MEMORY);
  huge[0] = 8;
  CHECK_EQUAL(schemoe_allocate(engine.handle, huge, 1, &other, &text), SCHEMOE_INVALID);
  const uint32_t copy = id;
  CHECK_EQUAL(schemoe_free(engine.handle, copy, &text), SCHEMOE_OK);
  CHECK_EQUAL(schemoe_free(engine.handle, copy, &text), SCHEMOE_INVALID);
  CHECK_EQUAL(read(copy, 0, 0, 1), SCHEMOE_INVALID);
  CHECK_EQUAL(engine.allocate(4), copy);  // ids are used again
}

void failing() {
  Engine engine(1, 2);
  const uint32_t b = engine.allocate(16);
  Packed packed(2);
  packed.operation(0, 0, 0, {});
  packed.operation(1, 1, 2, {});
  packed.kernel(23, Words().i(8).v(b, 8).v(b)).kernel(23, Words().i(9).v(b, 8).v(b));
  schemoe_program* program = engine.prepare(packed);
  std::vector<schemoe_event> events(2);
  CHECK_EQUAL(engine.run(program, events).text,
              "Cannot run kernel copy_bytes: 17 bytes are needed, the buffer has 16, in task #1 on rank 1, buffer #0");
  engine.allocate(17, b);
  CHECK_EQUAL(engine.run(program, events).text, "");
  CHECK_EQUAL(schemoe_free(engine.handle, b, &text), SCHEMOE_OK);
  CHECK_CONTAINS(engine.run(program, events).text, "there is no such buffer");
  engine.allocate(17);
  std::vector<schemoe_event> few(1);
  CHECK_CONTAINS(engine.run(program, few).text, "it has 2 operations and room for 1 events");
  Engine other(1, 2);
  CHECK_CONTAINS(other.run(program, events).text, "prepared by another engine");
}

void stopping() {
  Engine engine(2, 2);
  const uint32_t b = engine.allocate(8);
  schemoe_program* slow = engine.prepare(sleeping(4, 100));
  std::vector<schemoe_event> events(8);
  const Outcome limited = engine.run(slow, events, 0.02);
  CHECK_EQUAL(limited.status, SCHEMOE_TIME_LIMIT);
  CHECK_EQUAL(limited.text, "Cannot finish the run in 0.02 s: task #0 on rank 0 (compute lane) is paced to 100 s");

  for (int time = 0; time < 10; ++time) {
    std::thread canceller([&, time] {
      std::this_thread::sleep_for(std::chrono::milliseconds(time));
      // A cancel before the run begins is lost, so again and again.
      for (int i = 0; i < 50; ++i) {
        schemoe_cancel(engine.handle, &engine.error);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    const Outcome cancelled = engine.run(slow, events);
    canceller.join();
    CHECK_EQUAL(cancelled.status, SCHEMOE_CANCELLED);
  }

  // Meanwhile: busy for some calls, open for others.
  std::thread running([&] { CHECK_EQUAL(engine.run(slow, events).status, SCHEMOE_CANCELLED); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  schemoe_failure problem;
  std::vector<schemoe_event> more(8);
  CHECK_EQUAL(schemoe_run(engine.handle, slow, 0, more.data(), 8, &problem), SCHEMOE_BUSY);
  CHECK_EQUAL(schemoe_release(slow, &problem), SCHEMOE_BUSY);
  CHECK_EQUAL(schemoe_free(engine.handle, b, &problem), SCHEMOE_BUSY);
  uint32_t id = UINT32_MAX;
  const std::vector<uint64_t> sizes(4, 8);
  CHECK_EQUAL(schemoe_allocate(engine.handle, sizes.data(), 4, &id, &problem), SCHEMOE_BUSY);
  uint8_t byte = 1;
  CHECK_EQUAL(schemoe_write(engine.handle, b, 0, 0, &byte, 1, &problem), SCHEMOE_OK);
  CHECK_EQUAL(schemoe_cancel(engine.handle, &problem), SCHEMOE_OK);
  running.join();

  // A peer that comes late is named.
  Packed late(4);
  late.operation(0, 1, 0, {.seconds = 100});
  late.operation(1, 0, 2, {.communication = true});
  late.send(1, 8, b);
  late.operation(1, 1, 2, {.communication = true, .waits = {0}});
  late.receive(0, 8, b);
  CHECK_CONTAINS(engine.run(late, 0.02).text, "task #0 on rank 1 (compute lane) is paced to 100 s");
  // And the engine runs on.
  CHECK_EQUAL(engine.run(sleeping(4, 0.001)).text, "");
}

void closing() {
  schemoe_failure problem;
  for (int time = 0; time < 5; ++time) {
    auto* engine = new Engine(1, 4);
    schemoe_program* program = engine->prepare(sleeping(4, 100));
    engine->programs.clear();
    std::vector<schemoe_event> events(8);
    std::atomic<bool> begun = false;
    schemoe_engine* handle = std::exchange(engine->handle, nullptr);
    std::thread running([&] {
      begun = true;
      const int32_t status = schemoe_run(handle, program, 0, events.data(), 8, &text);
      CHECK_EQUAL(status, SCHEMOE_CLOSED);
    });
    while (!begun) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_EQUAL(schemoe_close(handle, &problem), SCHEMOE_OK);
    running.join();
    CHECK_EQUAL(schemoe_release(program, &problem), SCHEMOE_OK);
    delete engine;
  }
}

/// Engines and Programs end in every order, and handles of what has ended are refused, also by an engine
/// that memory puts where the old one was.
void orders() {
  const schemoe_config small{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 1, 0, {}}, large{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 4, 0, {}};
  schemoe_failure problem;
  std::vector<int> order{0, 1, 2, 3};  // two engines, then a Program of each
  do {
    schemoe_engine* engines[2] = {};
    schemoe_program* programs[2] = {};
    std::vector<schemoe_event> events(8);
    for (int i : {0, 1}) {
      CHECK_EQUAL(schemoe_open(&large, &engines[i], &problem), SCHEMOE_OK);
      const auto bytes = sleeping(4, 0).bytes();
      CHECK_EQUAL(schemoe_prepare(engines[i], bytes.data(), bytes.size(), &programs[i], &problem), SCHEMOE_OK);
      CHECK_EQUAL(schemoe_run(engines[i], programs[i], 0, events.data(), 8, &problem), SCHEMOE_OK);
      CHECK_EQUAL(schemoe_run(engines[i], programs[1 - i], 0, events.data(), 8, &problem), SCHEMOE_INVALID);
    }
    for (int what : order) {
      const int i = what % 2;
      if (what < 2) {
        CHECK_EQUAL(schemoe_close(engines[i], &problem), SCHEMOE_OK);
        CHECK_EQUAL(schemoe_close(engines[i], &problem), SCHEMOE_INVALID);
        CHECK_EQUAL(schemoe_run(engines[i], programs[i], 0, events.data(), 8, &problem), SCHEMOE_CLOSED);
        uint8_t byte = 0;
        CHECK_EQUAL(schemoe_read(engines[i], 0, 0, 0, &byte, 1, &problem), SCHEMOE_CLOSED);
        schemoe_engine* fresh = nullptr;
        CHECK_EQUAL(schemoe_open(&small, &fresh, &problem), SCHEMOE_OK);
        CHECK_EQUAL(schemoe_run(fresh, programs[i], 0, events.data(), 8, &problem), SCHEMOE_INVALID);
        CHECK_EQUAL(schemoe_close(fresh, &problem), SCHEMOE_OK);
      } else {
        CHECK_EQUAL(schemoe_release(programs[i], &problem), SCHEMOE_OK);
        CHECK_EQUAL(schemoe_release(programs[i], &problem), SCHEMOE_INVALID);
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

/// Calls that come while the engine is closed on another thread: each is answered.
void racing() {
  for (int time = 0; time < 50; ++time) {
    const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 2, 0, {}};
    schemoe_engine* engine = nullptr;
    schemoe_program* program = nullptr;
    schemoe_failure problem;
    CHECK_EQUAL(schemoe_open(&config, &engine, &problem), SCHEMOE_OK);
    const auto bytes = sleeping(2, 1e-4).bytes();
    CHECK_EQUAL(schemoe_prepare(engine, bytes.data(), bytes.size(), &program, &problem), SCHEMOE_OK);
    const auto expect = [](int32_t status, std::initializer_list<int32_t> possible) {
      CHECK(std::find(possible.begin(), possible.end(), status) != possible.end());
    };
    std::thread runner([&] {
      std::vector<schemoe_event> events(4);
      schemoe_failure said;
      expect(schemoe_run(engine, program, 0, events.data(), 4, &said), {SCHEMOE_OK, SCHEMOE_CLOSED, SCHEMOE_INVALID});
    });
    std::thread releaser([&] {
      schemoe_failure said;
      while (schemoe_release(program, &said) == SCHEMOE_BUSY) std::this_thread::yield();
      CHECK(said.status == SCHEMOE_OK);
    });
    std::thread reader([&] {
      schemoe_failure said;
      uint8_t byte = 0;
      expect(schemoe_read(engine, 0, 0, 0, &byte, 1, &said), {SCHEMOE_INVALID, SCHEMOE_CLOSED});
    });
    if (time % 2) std::this_thread::sleep_for(std::chrono::microseconds(20 * time));
    CHECK_EQUAL(schemoe_close(engine, &problem), SCHEMOE_OK);
    for (std::thread* thread : {&runner, &releaser, &reader}) thread->join();
  }
}

/// Threads that end without closing what they opened, idle and in the middle of a run: their engines end with them.
void ended() {
  for (const bool runs : {false, true}) {
    schemoe_engine* engine = nullptr;
    schemoe_engine* closed = nullptr;
    std::thread runner;
    std::thread([&] {
      const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 2, 0, {}};
      schemoe_program* program = nullptr;
      schemoe_failure problem;
      CHECK_EQUAL(schemoe_open(&config, &closed, &problem), SCHEMOE_OK);
      CHECK_EQUAL(schemoe_open(&config, &engine, &problem), SCHEMOE_OK);
      CHECK_EQUAL(schemoe_close(closed, &problem), SCHEMOE_OK);
      const auto bytes = sleeping(2, 1000).bytes();
      CHECK_EQUAL(schemoe_prepare(engine, bytes.data(), bytes.size(), &program, &problem), SCHEMOE_OK);
      if (!runs) return;
      runner = std::thread([engine, program] {
        std::vector<schemoe_event> events(4);
        schemoe_failure said;
        const int32_t status = schemoe_run(engine, program, 0, events.data(), 4, &said);
        CHECK(status == SCHEMOE_CANCELLED || status == SCHEMOE_CLOSED);
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }).join();
    if (runs) runner.join();
    schemoe_failure problem;
    uint8_t byte = 0;
    CHECK_EQUAL(schemoe_read(engine, 0, 0, 0, &byte, 1, &problem), SCHEMOE_CLOSED);
    CHECK_EQUAL(schemoe_close(engine, &problem), SCHEMOE_INVALID);
  }
}

}  // namespace

int main() {
  ended();
  opening();
  slices();
  orders();
  racing();
  memory();
  failing();
  stopping();
  closing();
  return check::result();
}
