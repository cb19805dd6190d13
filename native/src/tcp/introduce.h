// Connects one process with all others of its world, however many strangers come and whatever they say.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "schemoe.h"
#include "tcp/message.h"
#include "tcp/socket.h"

namespace schemoe {

/// Who connects with whom: with those of lower numbers this process opens the connection, the others come.
struct Introduction {
  const Socket& listener;
  const Key& key;
  std::span<const schemoe_process> processes;
  uint32_t self;
  Deadline deadline;
  /// Set by another thread: no connection is wanted any more.
  const std::atomic<bool>& given_up;
  /// `process 1 (pid 7 on 127.0.0.1, rank 2)`.
  std::function<std::string(uint32_t)> name_of;
};

/// A connection with each other process, by number, which has proven that it knows the key. All of them
/// are greeted side by side, each stranger only so long. Throws PEER naming who is missing, and the
/// addresses of those that were turned away.
std::vector<Socket> introduce(const Introduction& introduction);

}  // namespace schemoe
