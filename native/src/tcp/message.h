// What processes say to each other over a connection: a header, and a body for some kinds.
#pragma once

#include <array>
#include <cstdint>

namespace schemoe {

inline constexpr uint32_t kMessageMagic = 0x474d4d53;  // "SMMG"
inline constexpr uint32_t kGreetingMagic = 0x49484d53;  // "SMHI"
inline constexpr uint32_t kProtocol = 2;
/// Largest body but for contents of transfers, whose sizes the Program tells.
inline constexpr uint64_t kMostBody = uint64_t{4} << 20;

using Key = std::array<uint8_t, 32>;

/// First thing on a connection, from the side that opened it.
struct Hello {
  uint32_t magic;
  uint32_t protocol;
  uint32_t process;
  uint32_t reserved;
  std::array<uint8_t, 32> challenge;
};

/// What the other side answers; see Greeting.
struct Challenge {
  Hello hello;
  std::array<uint8_t, 32> proof;
};

enum class Kind : uint32_t {
  posted = 1,
  contents = 2,  // body: `bytes` bytes of the transfer
  ended = 3,
  allocate = 4,  // body: bytes of each of its ranks, as uint64
  free = 5,
  write = 6,  // body: what to write
  read = 7,
  ping = 8,
  reply = 9,  // body: what was read, or why it failed
  join = 10,  // body: how to find the others besides TCP
};

struct Message {
  uint32_t magic;
  Kind kind;
  uint64_t run;      // requests and replies: a serial number
  uint32_t index;    // transfer, operation or buffer; reply that failed: buffer it is about
  uint32_t task;     // reply: status
  uint32_t from;     // sending rank; read and write: rank
  uint32_t to;       // receiving rank; reply that failed: rank it is about
  uint64_t bytes;
  int64_t time_ns;   // reply to ping: the clock
  int64_t ideal_ns;
  uint64_t offset;
};

static_assert(sizeof(Hello) == 48 && sizeof(Challenge) == 80 && sizeof(Message) == 64);

}  // namespace schemoe
