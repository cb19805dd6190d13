#include "hopper.h"

#include <cuda_bf16.h>

#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "memory.h"

namespace emulated {

namespace {

constexpr unsigned kGroup = 128;  // threads of a warpgroup

struct Barrier {
  uint32_t arrivals = 0, left = 0;
  int64_t bytes = 0;  // that have not come
  uint32_t parity = 0;
};
std::map<std::pair<unsigned, uint32_t>, Barrier> barriers;  // of a block of the cluster, by their addresses

/// All threads' parts of a product.
struct Whole {
  Product first;
  uint64_t number;  // of its group of products
  unsigned come = 0;
  std::array<const uint32_t*, kGroup> rows;
  std::array<float*, kGroup> sums;
};

struct Warpgroup {
  std::deque<Whole> products;
  uint64_t done = 0;                          // products that have ended
  std::array<uint64_t, kGroup> begun{}, committed{};  // by each thread: products and groups of them
  unsigned come = 0;                          // threads that await
  uint64_t awaited = 0;                       // times that all did
};
std::array<std::array<Warpgroup, 1024 / kGroup>, kMostBlocks> warpgroups;

/// Of `bar.sync`, by their numbers.
struct Meeting {
  uint32_t come = 0, times = 0;
};
std::array<std::array<Meeting, 16>, kMostBlocks> meetings;

Barrier& barrier_at(uint32_t at, unsigned block) {
  const auto found = barriers.find({block, at});
  if (found == barriers.end()) wrong("uses a barrier in shared memory that has not been initialized");
  return found->second;
}

void end_phase_if_complete(Barrier& barrier) {
  if (barrier.left > 0 || barrier.bytes != 0) return;
  barrier.left = barrier.arrivals;
  barrier.parity ^= 1;
}

Warpgroup& mine() { return warpgroups[running.rank][running.number / kGroup]; }

/// Bits 4 to 6 of an address are swizzled by bits 7 to 9.
uint32_t swizzled(uint32_t address) { return address ^ (address >> 7 & 7) << 4; }

float element_at(uint32_t address) {
  __nv_bfloat16 value;
  std::memcpy(&value, shared_at(swizzled(address), 2), 2);
  return __bfloat162float(value);
}

/// An element of a factor in shared memory: `row` of those that the result has, or column, at `k`.
float element_of(uint64_t descriptor, bool across, uint32_t row, uint32_t k) {
  const auto field = [&](int from) { return static_cast<uint32_t>(descriptor >> from & 0x3fff) << 4; };
  const uint32_t begin = field(0), next_tile = field(16), eight_lines = field(32);
  const uint32_t line = across ? k : row, place = across ? row : k;
  return element_at(begin + place / 64 * (across ? next_tile : 0) + line / 8 * eight_lines + line % 8 * 128 + place % 64 * 2);
}

/// Lane 4 g + t of a warp has elements 2 t and 2 t + 1 of rows g and g + 8, then those at 8 further.
float element_of(const Whole& whole, uint32_t row, uint32_t k) {
  const uint32_t thread = row / 16 * 32 + row % 8 * 4 + k % 8 / 2, word = row % 16 / 8 + k / 8 * 2;
  return __uint_as_float(whole.rows[thread][word] >> k % 2 * 16 << 16);
}

void compute(const Whole& whole) {
  const Product& p = whole.first;
  const auto columns = static_cast<uint32_t>(p.columns);
  std::vector<float> b(16 * columns);
  for (uint32_t k = 0; k < 16; ++k) {
    for (uint32_t column = 0; column < columns; ++column) b[k * columns + column] = element_of(p.b, p.across_b, column, k);
  }
  for (uint32_t row = 0; row < 64; ++row) {
    float a[16];
    for (uint32_t k = 0; k < 16; ++k) a[k] = p.rows ? element_of(whole, row, k) : element_of(p.a, p.across_a, row, k);
    for (uint32_t column = 0; column < columns; ++column) {
      float& sum = whole.sums[row / 16 * 32 + row % 8 * 4 + column % 8 / 2][column / 8 * 4 + row % 16 / 8 * 2 + column % 2];
      float all = 0;
      for (uint32_t k = 0; k < 16; ++k) all += a[k] * b[k * columns + column];
      sum = p.add ? sum + all : all;
    }
  }
}

}  // namespace

void begin_block() {
  barriers.clear();
  for (auto& block : meetings) block.fill({});
  for (auto& block : warpgroups) block.fill({});
}

void* shared_at(uint32_t address, size_t bytes) {
  if (address + bytes > dynamic.end - dynamic.begin) wrong("uses shared memory that the launch has not asked for");
  return reinterpret_cast<void*>(dynamic.begin + address);
}

void* shared_at(uint32_t address, size_t bytes, unsigned block) { return in_block(shared_at(address, bytes), block); }

void init_barrier(uint32_t at, uint32_t arrivals) {
  shared_at(at, 8);
  barriers[{running.rank, at}] = {arrivals, arrivals, 0, 0};
}

void arrive(uint32_t at, uint32_t bytes, unsigned block) {
  const Unchecked unchecked;
  Barrier& barrier = barrier_at(at, block);
  if (barrier.left == 0) wrong("arrives at a barrier in shared memory where all have arrived");
  barrier.bytes += bytes;
  --barrier.left;
  end_phase_if_complete(barrier);
}

void wait_for_phase(uint32_t at, uint32_t parity, Where where) {
  const Unchecked unchecked;
  const Barrier& barrier = barrier_at(at, running.rank);
  const auto odd = [](const void* of) { return static_cast<const Barrier*>(of)->parity == 1; };
  const auto even = [](const void* of) { return static_cast<const Barrier*>(of)->parity == 0; };
  // The phase of that parity has ended when the other one is on.
  if (parity == 0) wait_until(odd, &barrier, "a barrier in shared memory", where);
  else wait_until(even, &barrier, "a barrier in shared memory", where);
}

void meet(uint32_t number, uint32_t threads, Where where) {
  const Unchecked unchecked;
  if (number >= meetings.size()) wrong("meets at a barrier that there is not");
  Meeting& meeting = meetings[running.rank][number];
  struct Met {
    const Meeting* meeting;
    uint32_t times;
  } const until{&meeting, meeting.times + 1};
  if (++meeting.come == threads) {
    meeting.come = 0;
    ++meeting.times;
    return;
  }
  const auto all = [](const void* of) {
    const auto* met = static_cast<const Met*>(of);
    return met->meeting->times >= met->times;
  };
  wait_until(all, &until, "a barrier of some threads", where);
}

void store_matrices(uint32_t to, const uint32_t (&mine)[4], Where where) {
  struct Part {
    uint32_t to;
    const uint32_t* mine;
  } const part{to, mine};
  const uint64_t* all = gather(Together::load, 0xffffffffu, reinterpret_cast<uint64_t>(&part), where);
  const unsigned g = lane() / 4, t = lane() % 4;
  // A lane's elements of a matrix are of row g and columns 2 t and 2 t + 1 of what it is transposed of.
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    for (unsigned i = 0; i < 2; ++i) {
      const uint32_t row = reinterpret_cast<const Part*>(all[8 * matrix + 2 * t + i])->to;
      const auto value = static_cast<uint16_t>(mine[matrix] >> 16 * i);
      std::memcpy(shared_at(row + 2 * g, 2), &value, 2);
    }
  }
  // The parts are there until all have read them.
  gather(Together::load, 0xffffffffu, 0, where);
}

void copy_tile(uint32_t to, const CUtensorMap& map, const int32_t (&place)[3], uint32_t at, unsigned block) {
  if (to % 1024 != 0) wrong("copies a tile to where its lines would be swizzled otherwise");
  for (uint32_t z = 0, line = 0; z < map.tile[2]; ++z) {
    for (uint32_t y = 0; y < map.tile[1]; ++y, ++line) {
      for (uint32_t x = 0; x < map.tile[0]; ++x) {
        const int64_t from[3] = {place[0] + int64_t{x}, place[1] + int64_t{y}, place[2] + int64_t{z}};
        bool inside = true;
        for (int i = 0; i < 3; ++i) inside = inside && from[i] >= 0 && from[i] < map.sizes[i];
        uint16_t value = 0;
        if (inside) {
          const uint16_t* element = static_cast<const uint16_t*>(map.data) + from[0] + from[1] * map.strides[0] + from[2] * map.strides[1];
          if (x % 8 == 0) use(element, 16, Access::read, __builtin_return_address(0));
          value = *element;
        }
        std::memcpy(shared_at(swizzled(to + line * 128 + x * 2), 2, block), &value, 2);
      }
    }
  }
  Barrier& barrier = barrier_at(at, block);
  barrier.bytes -= int64_t{map.tile[0]} * map.tile[1] * map.tile[2] * 2;
  end_phase_if_complete(barrier);
}

void copy_bytes(uint32_t to, const void* from, uint32_t bytes, uint32_t at) {
  if (to % 16 != 0 || bytes % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) wrong("copies bytes that are not aligned to 16");
  for (uint32_t i = 0; i < bytes; i += 16) use(static_cast<const char*>(from) + i, 16, Access::read, __builtin_return_address(0));
  std::memcpy(shared_at(to, bytes), from, bytes);
  Barrier& barrier = barrier_at(at, running.rank);
  barrier.bytes -= bytes;
  end_phase_if_complete(barrier);
}

void multiply(const Product& product, Where) {
  const Unchecked unchecked;
  Warpgroup& group = mine();
  const unsigned thread = running.number % kGroup;
  const uint64_t number = group.begun[thread]++ - group.done;
  if (number == group.products.size()) group.products.push_back({product, group.committed[thread], 0, {}, {}});
  Whole& whole = group.products[number];
  const Product& first = whole.first;
  if (first.columns != product.columns || first.a != product.a || first.b != product.b || first.add != product.add ||
      whole.number != group.committed[thread]) {
    wrong("threads of a warpgroup diverge: they come to different products");
  }
  whole.rows[thread] = product.rows;
  whole.sums[thread] = product.sums;
  ++whole.come;
}

void commit_products() { ++mine().committed[running.number % kGroup]; }

void await_products(unsigned left, Where where) {
  const Unchecked unchecked;
  Warpgroup& group = mine();
  struct Awaited {
    const Warpgroup* group;
    uint64_t times;
  } const until{&group, group.awaited + 1};
  if (++group.come < kGroup) {
    const auto all = [](const void* of) {
      const auto* awaited = static_cast<const Awaited*>(of);
      return awaited->group->awaited >= awaited->times;
    };
    return wait_until(all, &until, "products of its warpgroup", where);
  }
  group.come = 0;
  ++group.awaited;
  const uint64_t committed = group.committed[running.number % kGroup];
  while (!group.products.empty() && group.products.front().number + left < committed) {
    if (group.products.front().come < kGroup) wrong("awaits a product that not all threads of the warpgroup have begun");
    compute(group.products.front());
    group.products.pop_front();
    ++group.done;
  }
}

}  // namespace emulated
