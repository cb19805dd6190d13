// Host kernels that wait for a function in JavaScript. Shared by all engines.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace schemoe {

class HostQueue {
 public:
  struct Request {
    uint32_t operation;
    uint32_t rank;
    uint32_t id;
  };

  /// A run begins, is to stop, and is over.
  void begin();
  void stop();
  void end();

  /// From a lane: blocks until `done`. Throws HOST_FAILED, or CANCELLED when the run stops.
  void call(const Request& request);

  /// Blocks until a call waits; throws CLOSED once the run in progress, or else the next, is over.
  Request wait();
  /// Ends the wait of one caller that waits while no run is in progress, or will.
  void nudge();
  /// Lets a call continue; throws INVALID where none of that operation waits, CLOSED after the run.
  void done(uint32_t operation, bool failed, const char* message);

  /// All waits end, now and later.
  void close();

 private:
  struct Call {
    Request request;
    bool finished = false;
    bool failed = false;
    std::string message;
  };

  std::mutex mutex_;
  std::condition_variable called_;
  std::condition_variable answered_;
  std::deque<Call*> waiting_;
  std::vector<Call*> taken_;
  uint64_t begun_ = 0;
  bool running_ = false;
  bool stopping_ = false;
  bool nudged_ = false;
  bool closed_ = false;
};

}  // namespace schemoe
