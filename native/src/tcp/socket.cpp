#include "tcp/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

constexpr int kStream = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

std::string name_of(const sockaddr* address, socklen_t bytes) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  const int status = getnameinfo(address, bytes, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  return status == 0 ? join(host, " port ", port) : std::string("an address without a name");
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

int milliseconds_to(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000'000));
}

std::vector<Address> addresses_of(const std::string& host, uint32_t port) {
  std::vector<Address> addresses;
  const Addresses found = resolve(host, std::to_string(port), 0);
  for (const addrinfo* a = found.get(); a; a = a->ai_next) {
    const auto* at = reinterpret_cast<const uint8_t*>(a->ai_addr);
    addresses.push_back({a->ai_family, {at, at + a->ai_addrlen}, name_of(a->ai_addr, a->ai_addrlen)});
  }
  return addresses;
}

Socket Socket::listen(const std::string& host) {
  const Addresses addresses = resolve(host, "0", AI_PASSIVE);
  std::string problems;
  for (const addrinfo* a = addresses.get(); a; a = a->ai_next) {
    Socket socket(::socket(a->ai_family, kStream, 0));
    if (socket.valid() && ::bind(socket.fd_, a->ai_addr, a->ai_addrlen) == 0 && ::listen(socket.fd_, SOMAXCONN) == 0) {
      return socket;
    }
    problems += join(problems.empty() ? "" : "; ", name_of(a->ai_addr, a->ai_addrlen), ": ", std::strerror(errno));
  }
  fail(SCHEMOE_PEER, "it cannot listen at ", host, " (", problems, ")");
}

Socket Socket::connect(const Address& address) {
  Socket socket(::socket(address.family, kStream, 0));
  if (!socket.valid()) fail_errno("no socket could be made");
  const auto* at = reinterpret_cast<const sockaddr*>(address.bytes.data());
  if (::connect(socket.fd_, at, static_cast<socklen_t>(address.bytes.size())) != 0 && errno != EINPROGRESS) {
    fail_errno("it cannot be reached");
  }
  send_at_once(socket.fd_);
  return socket;
}

Socket Socket::accept(int* error) const {
  Socket socket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  *error = socket.valid() ? 0 : errno;
  if (socket.valid()) send_at_once(socket.fd_);
  return socket;
}

std::string Socket::other_end() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* at = reinterpret_cast<sockaddr*>(&address);
  if (getpeername(fd_, at, &size) != 0) return "an address that is not known any more";
  return name_of(at, size);
}

int Socket::error() const {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

std::span<const uint8_t> Socket::read_some(std::span<uint8_t> into) const {
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
  if (got < 0) fail_errno("its connection failed");
  if (got == 0 && !into.empty()) fail(SCHEMOE_PEER, "it closed the connection");
  return into.first(static_cast<size_t>(got));
}

size_t Socket::write_some(std::span<const uint8_t> bytes) const {
  const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  if (put < 0) fail_errno("its connection failed");
  return static_cast<size_t>(put);
}

void Socket::block() const {
  if (fcntl(fd_, F_SETFL, 0) != 0) fail_errno("a socket could not be set up");
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

void Socket::shut_down() const {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

}  // namespace schemoe
