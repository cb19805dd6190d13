// Runs a Program: one thread for each lane of each rank, waiting on events and never spinning.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cpu/buffers.h"
#include "cpu/scratch.h"
#include "runtime/failure.h"
#include "runtime/host_queue.h"
#include "runtime/program.h"
#include "runtime/remote.h"

namespace schemoe {

/// Ranks that this process runs, and how it reaches the others; by default it runs all.
struct Part {
  uint32_t first = 0;
  uint32_t count = UINT32_MAX;
  Carrier* carrier = nullptr;
  bool holds(uint32_t rank) const { return rank >= first && rank - first < count; }
};

class Executor final : public Receiver {
 public:
  Executor(uint32_t ranks, Buffers& buffers, HostQueue& hosts, Part part = {});
  ~Executor() override;

  /// Throws what ended the run early; all lanes are idle again either way.
  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events);
  /// Whether there was a run to cancel.
  bool cancel();
  /// Cancels, and no run begins from now on.
  void shut_down();

  // remote.cpp: runs that other processes take part in.
  /// Number and beginning of the next run, on this process's steady clock.
  void expect(uint64_t run, uint64_t start_ns);
  bool await_run(uint64_t run) override;
  void posted(const Notice& notice) override;
  std::byte* target(const Notice& notice) override;
  void arrived(const Notice& notice) override;
  void sent(const Notice& notice) override;
  void ended(const Ended& ended) override;
  void lost(const Failure& failure) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  enum class Stage : uint8_t { waiting, working, posted, pacing, done };

  /// State of an operation while the Program runs; guarded by mutex_.
  struct State {
    uint32_t waits;          // operations it still waits for
    uint32_t peers;          // sides of its transfers that have not posted
    uint32_t copies;         // sides of its transfers that have not been copied
    Stage stage;
    int64_t ready_ns;        // its last wait was done
    int64_t all_posted_ns;   // its last peer posted
    int64_t ideal_begin_ns;  // when it would have begun if threads woke up at once
    int64_t ideal_peers_ns;  // likewise the last of its peers
    int64_t ideal_end_ns;
  };

  struct Lane {
    uint32_t rank = 0;
    std::condition_variable wake;
    uint64_t seen = 0;       // runs that it took part in
    Scratch scratch;
    std::vector<uint32_t> met;  // transfers that the lane copies, since it posted last
    std::thread thread;
  };

  int64_t now() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  }
  void begin(const Program& program, std::span<schemoe_event> events);
  void await_start(Lock& lock, uint64_t time_limit_ns);
  void stop(const Failure& failure) noexcept;
  void stop_idle_lanes();
  Failure unfinished(const Failure& failure) const noexcept;
  std::string doing(uint32_t index) const;
  void wake(uint32_t operation);

  // lane.cpp: the threads.
  void live(uint32_t lane);
  void run_lane(Lock& lock, Lane& lane, const std::vector<uint32_t>& operations);
  bool run_operation(Lock& lock, Lane& lane, uint32_t index, int64_t lane_ideal_ns);
  void compute(const Operation& operation, uint32_t index, Lane& lane);
  void compute_call(const Call& call, uint32_t index, Lane& lane);
  void note(uint32_t index, const Failure& failure);
  bool transfer(Lock& lock, Lane& lane, uint32_t index);
  void post(Lane& lane, uint32_t index);
  void copy_met(Lane& lane) const;
  bool pace(Lock& lock, Lane& lane, uint32_t index, int64_t begun_ns);
  void finish(uint32_t index);
  void release(uint32_t after, int64_t end_ns, int64_t ideal_end_ns);

  // remote.cpp
  bool remote(uint32_t operation) const { return !part_.holds(program_->operations[operation].rank); }
  Notice notice_of(uint32_t transfer) const;
  uint64_t bytes_here(uint32_t transfer) const;
  void tell_posted(uint32_t index, uint32_t end);
  void send_contents(uint32_t end);
  void tell_ended(uint32_t index);
  void count_copy(const Notice& notice, bool sender);

  const uint32_t ranks_;
  Buffers& buffers_;
  HostQueue& hosts_;
  const Part part_;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<Lane> lanes_;
  uint64_t runs_ = 0;
  uint32_t active_ = 0;
  bool closing_ = false;

  // The run in progress.
  const Program* program_ = nullptr;
  std::span<schemoe_event> events_;
  Clock::time_point start_;
  std::vector<State> states_;
  std::vector<uint8_t> posts_;  // sides of each transfer that have posted
  std::optional<Failure> failure_;
  /// Of operations that are checked, the first in order that computed what is not finite.
  struct Noted {
    uint32_t operation;
    Failure failure;
  };
  std::optional<Noted> noted_;
  std::atomic<bool> stop_ = false;

  // Runs of several processes.
  uint64_t run_ = 0;           // the one in progress, or else the last
  uint64_t expected_ = 0;      // the next
  Clock::time_point expected_start_;
  std::condition_variable begun_;
  bool awaits_start_ = false;  // a run waits for its beginning, and may be cancelled
  std::vector<uint8_t> heard_;  // of each transfer: bit 0 the other side has posted, bit 1 its contents came
  std::optional<Failure> lost_;
};

}  // namespace schemoe
