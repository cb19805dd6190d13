// Ranks of other processes: messages from an executor to them, and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/failure.h"

namespace schemoe {

/// One side of a transfer was posted. Times are nanoseconds from the start of the run on the clock
/// that all processes share.
struct Notice {
  uint64_t run;
  uint32_t transfer;  // index in the Program
  uint32_t task;
  uint32_t from;
  uint32_t to;
  uint64_t bytes;
  int64_t posted_ns;
  int64_t ideal_ns;
};

/// An operation ended.
struct Ended {
  uint64_t run;
  uint32_t operation;
  int64_t end_ns;
  int64_t ideal_ns;
};

/// Carries news and contents to other processes. Everything but `abort` returns at once.
class Carrier {
 public:
  virtual ~Carrier() = default;
  virtual bool local(uint32_t rank) const = 0;
  virtual uint32_t process_of(uint32_t rank) const = 0;
  virtual void post(uint32_t process, const Notice& notice) = 0;
  /// Contents of a transfer that both sides posted; valid until Receiver::sent, or `abort` returns.
  virtual void contents(uint32_t process, const Notice& notice, const std::byte* data) = 0;
  virtual void ended(uint32_t process, const Ended& ended) = 0;
  /// Breaks all connections; none of its threads touches contents any more once it returns.
  virtual void abort() = 0;
};

/// Hears from other processes, on threads of the carrier.
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// Blocks until that run has begun; false when it has ended, or never will begin.
  virtual bool await_run(uint64_t run) = 0;
  /// Throws PEER where the other side has another transfer in mind, as do the next ones.
  virtual void posted(const Notice& notice) = 0;
  /// Where to put the contents of a transfer; null when the run is over.
  virtual std::byte* target(const Notice& notice) = 0;
  virtual void arrived(const Notice& notice) = 0;
  virtual void sent(const Notice& notice) = 0;
  virtual void ended(const Ended& ended) = 0;
  /// Another process cannot be reached any more.
  virtual void lost(const Failure& failure) = 0;
};

}  // namespace schemoe
