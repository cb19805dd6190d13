// A TCP socket that closes itself. All functions throw PEER, in words that fit after "Cannot ...: ".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace schemoe {

using Deadline = std::chrono::steady_clock::time_point;

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  static Socket listen(const std::string& host);
  static Socket connect(const std::string& host, uint32_t port, Deadline deadline);
  /// The next connection; invalid when none came in time.
  Socket accept(Deadline deadline) const;
  uint32_t port() const;

  /// False when the other side closed before the first byte.
  bool read(void* data, size_t bytes) const;
  void write(const void* data, size_t bytes, bool more) const;
  /// For the first messages only: later ones may take as long as they like.
  void limit(Deadline deadline) const;
  /// Ends reads and writes of all threads.
  void shut_down() const;

  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace schemoe
