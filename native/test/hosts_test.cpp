// Host kernels: served by other threads, failing, and what a wait returns when a run has ended.
#include <thread>

#include "library.h"

namespace {

struct Call {
  int32_t status;
  uint32_t operation, rank, id;
};

Call wait(Engine& engine) {
  schemoe_failure text;
  Call call{};
  call.status = schemoe_host_wait(engine.handle, &call.operation, &call.rank, &call.id, &text);
  return call;
}

int32_t done(Engine& engine, uint32_t operation, const char* failure = nullptr) {
  schemoe_failure text;
  return schemoe_host_done(engine.handle, operation, failure != nullptr, failure, &text);
}

Packed asking(uint32_t ranks, uint32_t tasks) {
  Packed packed(ranks);
  for (uint32_t task = 0; task < tasks; ++task) {
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      packed.operation(task, rank, task % 3, {});
      packed.kernel(22, Words().i(10 * task + rank));
    }
  }
  return packed;
}

}  // namespace

int main() {
  Engine engine(1, 3);
  const Packed packed = asking(3, 30);
  schemoe_program* program = engine.prepare(packed);
  std::vector<schemoe_event> events(packed.records.size());

  // Two threads serve; the wait may come before the run or during it, and ends with the run.
  for (int time = 0; time < 20; ++time) {
    std::atomic<int> served = 0;
    const auto serve = [&] {
      for (;;) {
        const Call call = wait(engine);
        if (call.status == SCHEMOE_CLOSED) return;
        CHECK_EQUAL(call.status, SCHEMOE_OK);
        CHECK_EQUAL(call.id, call.operation / 3 * 10 + call.rank);
        ++served;
        CHECK_EQUAL(done(engine, call.operation), SCHEMOE_OK);
      }
    };
    std::atomic<bool> ended = false;
    std::thread one(serve), two(serve);
    std::thread nudge([&] {
      // As the JavaScript side does: a wait that began too late is ended by cancelling.
      while (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      one.join();
      two.join();
    });
    CHECK_EQUAL(engine.run(program, events).text, "");
    CHECK_EQUAL(served.load(), 90);
    ended = true;
    // At most one wait of each thread can have begun too late.
    for (int i = 0; i < 200 && nudge.joinable(); ++i) {
      schemoe_cancel(engine.handle, &engine.error);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    nudge.join();
  }

  // A failure ends the run; the others stop waiting; late answers are refused.
  std::thread failing([&] {
    Call call{};
    do call = wait(engine);
    while (call.status == SCHEMOE_CLOSED);  // left over from above
    CHECK_EQUAL(done(engine, call.operation + 1000), SCHEMOE_INVALID);
    CHECK_EQUAL(done(engine, call.operation, "it rains"), SCHEMOE_OK);
    const int32_t again = done(engine, call.operation);  // the lane may have stopped the run by now
    CHECK(again == SCHEMOE_INVALID || again == SCHEMOE_CLOSED);
  });
  const Outcome failed = engine.run(program, events);
  failing.join();
  CHECK_EQUAL(failed.status, SCHEMOE_HOST_FAILED);
  CHECK_CONTAINS(failed.text, "kernel host: it rains");

  CHECK_EQUAL(done(engine, 0), SCHEMOE_CLOSED);

  // Nobody serves: the time limit says so.
  const Outcome late = engine.run(program, events, 0.03);
  CHECK_EQUAL(late.status, SCHEMOE_TIME_LIMIT);
  CHECK_CONTAINS(late.text, "Cannot finish the run in 0.03 s: task #0 on rank 0 (compute lane) waits for its host function");

  // A wait without a run ends when it is cancelled, or when the engine is closed.
  std::thread waiting([&] { CHECK_EQUAL(wait(engine).status, SCHEMOE_CLOSED); });
  schemoe_cancel(engine.handle, &engine.error);
  waiting.join();
  std::thread last([handle = engine.handle] {
    schemoe_failure text;
    Call call{};
    call.status = schemoe_host_wait(handle, &call.operation, &call.rank, &call.id, &text);
    CHECK_EQUAL(call.status, SCHEMOE_CLOSED);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  engine.close();
  last.join();
  return check::result();
}
