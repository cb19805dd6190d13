// A TCP socket that closes itself. All functions throw PEER, in words that fit after "Cannot ...: ".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace schemoe {

using Deadline = std::chrono::steady_clock::time_point;

/// Where a host may be reached.
struct Address {
  int family;
  std::vector<uint8_t> bytes;  // a sockaddr
  std::string name;            // `127.0.0.1 port 4711`
};

/// All addresses of a host, numeric ones without asking anybody.
std::vector<Address> addresses_of(const std::string& host, uint32_t port);

/// Milliseconds for poll(2).
int milliseconds_to(Deadline deadline);

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

  /// At the first address of the host that can be bound, at a free port; it does not block.
  static Socket listen(const std::string& host);
  /// Begins to connect; it does not block until `block` is called.
  static Socket connect(const Address& address);
  /// A connection that waits, which does not block until `block` is called; invalid when there is none.
  /// Never throws for what others did; `error` is that of the system otherwise.
  Socket accept(int* error) const;
  uint32_t port() const;
  int descriptor() const { return fd_; }
  /// `127.0.0.1 port 4711`: the other end.
  std::string other_end() const;
  /// How connecting went: 0, or an error of the system.
  int error() const;

  /// What has arrived, at most so much; nothing for "not yet". Throws when there will be no more.
  std::span<const uint8_t> read_some(std::span<uint8_t> into) const;
  /// How many bytes could be sent at once.
  size_t write_some(std::span<const uint8_t> bytes) const;
  /// From now on reads and writes wait, on threads of their own.
  void block() const;

  /// False when the other side closed before the first byte.
  bool read(void* data, size_t bytes) const;
  void write(const void* data, size_t bytes, bool more) const;
  /// Ends reads and writes of all threads.
  void shut_down() const;

  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace schemoe
