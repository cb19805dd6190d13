#include "memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "block.h"

// Where the program lies, with the shared memory of kernels that has a fixed size.
extern "C" const char __executable_start, _end;

namespace emulated {

namespace {

/// Ends by beginnings.
std::map<uintptr_t, uintptr_t>& given() {
  static std::map<uintptr_t, uintptr_t> all;
  return all;
}
Range found;
const Range program{reinterpret_cast<uintptr_t>(&__executable_start), reinterpret_cast<uintptr_t>(&_end)};

struct Use {
  uint32_t meetings, barriers, warp_barriers;
  uint16_t block, thread;  // of the cluster, of the block
  uint8_t bytes;  // of the word, a bit each; 0: none
  bool atomic;
};

/// Four bytes: the last that wrote them, and two that read them.
struct Word {
  uintptr_t address;
  uint64_t cluster;
  Use write, reads[2];
};
constexpr size_t kWords = size_t{1} << 15;
// A word drives out another one of the same place: a race may be missed then, and none is made up.
std::vector<Word> words_of_block(kWords), words_of_all(kWords);

/// A write beside that of another lane, which is right if it writes the same.
struct Pending {
  const void* at = nullptr;
  size_t bytes = 0;
  unsigned char before[16];
  std::string what;
} pending;

std::string place_of(const void* at, size_t bytes, const void* code) {
  std::ostringstream text;
  const auto address = reinterpret_cast<uintptr_t>(at);
  text << bytes << " bytes ";
  const auto after = given().upper_bound(address);
  if (dynamic.has(at)) text << "of shared memory from byte " << address - dynamic.begin << " on";
  else if (shared_by_cluster.has(at)) text << "of shared memory of its cluster";
  else if (program.has(at)) text << "of a shared array";
  else if (after == given().begin()) text << "that belong to nothing";
  else text << "from byte " << address - std::prev(after)->first << " on of " << std::prev(after)->second - std::prev(after)->first;
  text << " (addr2line +0x" << std::hex << reinterpret_cast<uintptr_t>(code) - program.begin << ')';
  return text.str();
}

bool may_use(const void* at, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(at), end = begin + bytes;
  if (begin >= found.begin && end <= found.end) return true;
  if (program.has(at)) return true;
  if (shared_by_cluster.has(at)) return may_share(at, bytes);
  const auto after = given().upper_bound(begin);
  if (after == given().begin()) return false;
  const Range range{std::prev(after)->first, std::prev(after)->second};
  if (end > range.end) return false;
  found = range;
  return true;
}

bool ordered(const Use& before, const Use& now) {
  if (before.meetings < now.meetings) return true;
  if (before.block != now.block) return false;
  return before.thread == now.thread || before.barriers < now.barriers ||
         (before.thread / 32 == now.thread / 32 && before.warp_barriers < now.warp_barriers);
}

bool collide(const Use& before, const Use& now) {
  return (before.bytes & now.bytes) != 0 && !(before.atomic && now.atomic) && !ordered(before, now);
}

/// The use that this one collides with, or nullptr; notes it. Reads of memory that is not shared are not looked at:
/// lanes that have no row of their own read one that another lane writes, and make nothing of it.
const Use* note(Word& word, uintptr_t address, uint64_t cluster, const Use& use, bool writes, bool shared) {
  if (word.address != address || word.cluster != cluster) word = {address, cluster, {}, {}};
  if (!writes && !shared) return nullptr;
  const Use* other = nullptr;
  if (collide(word.write, use)) other = &word.write;
  if (writes) {
    for (const Use& read : word.reads) {
      if (!other && collide(read, use)) other = &read;
    }
    if (other) return other;
    word.write = use;
    return nullptr;
  }
  if (word.reads[0].thread != use.thread || word.reads[0].block != use.block) word.reads[1] = word.reads[0];
  word.reads[0] = use;
  return other;
}

}  // namespace

void give(const void* memory, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  if (memory) given()[begin] = begin + bytes;
}

void take_back(const void* memory) {
  given().erase(reinterpret_cast<uintptr_t>(memory));
  found = {};
}

void settle() {
  if (!pending.at) return;
  const bool same = std::memcmp(pending.at, pending.before, pending.bytes) == 0;
  pending.at = nullptr;
  if (!same) wrong(pending.what);
}

void use(const void* at, size_t bytes, Access access, const void* code) {
  if (!in_kernel || stacks.has(at) || (at >= &running && at < &running + 1)) return;
  const Unchecked unchecked;
  settle();
  if (!may_use(at, bytes)) {
    wrong(std::string(access == Access::read ? "reads " : "writes ") + "outside of all buffers: " + place_of(at, bytes, code));
  }
  const bool writes = access != Access::read;
  if (writes && blocks_together > 1 && program.has(at)) {
    wrong("a shared array of fixed size in a cluster, whose blocks have one in common in the emulation: " + place_of(at, bytes, code));
  }
  const bool shared = program.has(at) || shared_by_cluster.has(at);
  std::vector<Word>& words = shared ? words_of_block : words_of_all;
  const auto begin = reinterpret_cast<uintptr_t>(at), end = begin + bytes;
  for (uintptr_t address = begin & ~uintptr_t{3}; address < end; address += 4) {
    unsigned mask = 15;
    if (address < begin) mask &= 15u << (begin - address);
    if (address + 4 > end) mask &= 15u >> (address + 4 - end);
    const Use use{moment.meetings, moment.barriers, moment.warp_barriers, static_cast<uint16_t>(running.rank),
                  static_cast<uint16_t>(running.number), static_cast<uint8_t>(mask), access == Access::atomic};
    const uintptr_t number = address >> 2;
    Word& word = words[(number ^ number >> 15) % kWords];
    const Use* other = note(word, address, moment.cluster, use, writes, shared);
    if (!other) continue;
    const std::string what = std::string("a race with thread ") + std::to_string(other->thread) + ": no barrier is between " +
                             (writes ? "a write of " : "a read of ") + place_of(at, bytes, code) + " and its " +
                             (other == &word.write ? "write" : "read");
    if (other != &word.write || access != Access::write || other->atomic || bytes > sizeof pending.before) wrong(what);
    pending.at = at;
    pending.bytes = bytes;
    std::memcpy(pending.before, at, bytes);
    pending.what = what;
    word.write = use;
  }
}

}  // namespace emulated
