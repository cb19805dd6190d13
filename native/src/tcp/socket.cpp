#include "tcp/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "runtime/failure.h"

namespace schemoe {

namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Addresses resolve(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (status != 0) fail(SCHEMOE_PEER, "the host ", host, " is unknown: ", gai_strerror(status));
  return {found, freeaddrinfo};
}

[[noreturn]] void fail_errno(const char* what) { fail(SCHEMOE_PEER, what, ": ", std::strerror(errno)); }

int milliseconds_to(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000'000));
}

/// Waits for an event of poll(2); false when the deadline passes.
bool wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, milliseconds_to(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) fail_errno("waiting on a socket failed");
  }
}

/// Small messages must not wait for large ones.
void send_at_once(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Socket Socket::listen(const std::string& host) {
  const Addresses addresses = resolve(host, "0", AI_PASSIVE);
  Socket socket(::socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::bind(socket.fd_, addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      ::listen(socket.fd_, SOMAXCONN) != 0) {
    fail(SCHEMOE_PEER, "it cannot listen at ", host, ": ", std::strerror(errno));
  }
  return socket;
}

Socket Socket::connect(const std::string& host, uint32_t port, Deadline deadline) {
  const Addresses addresses = resolve(host, std::to_string(port), 0);
  int error = 0;
  for (const addrinfo* a = addresses.get(); a; a = a->ai_next) {
    Socket socket(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) fail_errno("no socket could be made");
    if (::connect(socket.fd_, a->ai_addr, a->ai_addrlen) != 0) {
      error = errno;
      if (error != EINPROGRESS) continue;
      if (!wait_for(socket.fd_, POLLOUT, deadline)) {
        error = ETIMEDOUT;
        continue;
      }
      socklen_t size = sizeof error;
      getsockopt(socket.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) continue;
    }
    // Blocking from now on: a thread of its own reads, and one writes.
    if (fcntl(socket.fd_, F_SETFL, 0) != 0) fail_errno("a socket could not be set up");
    send_at_once(socket.fd_);
    return socket;
  }
  fail(SCHEMOE_PEER, host, " port ", port, " cannot be reached: ", std::strerror(error));
}

Socket Socket::accept(Deadline deadline) const {
  while (wait_for(fd_, POLLIN, deadline)) {
    Socket socket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) {
      send_at_once(socket.fd_);
      return socket;
    }
    // The other side may have given up already.
    if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) fail_errno("a connection could not be accepted");
  }
  return Socket();
}

uint32_t Socket::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail_errno("a socket has no name");
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

bool Socket::read(void* data, size_t bytes) const {
  auto* at = static_cast<std::byte*>(data);
  for (size_t left = bytes; left > 0;) {
    const ssize_t got = ::recv(fd_, at, left, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("its connection failed");
    if (got == 0) {
      if (left == bytes) return false;
      fail(SCHEMOE_PEER, "its connection ended in the middle of a message");
    }
    at += got;
    left -= static_cast<size_t>(got);
  }
  return true;
}

void Socket::write(const void* data, size_t bytes, bool more) const {
  const auto* at = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t put = ::send(fd_, at, bytes, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_errno("its connection failed");
    at += put;
    bytes -= static_cast<size_t>(put);
  }
}

void Socket::limit(Deadline deadline) const {
  const int left = deadline == Deadline::max() ? 0 : std::max(1, milliseconds_to(deadline));
  const timeval time{left / 1000, left % 1000 * 1000};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

void Socket::shut_down() const {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

}  // namespace schemoe
