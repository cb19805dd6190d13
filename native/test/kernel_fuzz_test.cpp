// Programs whose kernels have arguments by the letters of the kernel table, many of them edge values: each
// is refused or run, soon and within memory in proportion to its buffers.
//
//   test_kernel_fuzz                 50,000 Programs, as in ctest
//   test_kernel_fuzz SECONDS [SEED]  as many as there is time for; says how many
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <new>
#include <string_view>

#include "library.h"
#include "number_cases.h"
#include "runtime/kernel_table.h"
#include "seed_program.h"

namespace {

/// The largest piece of memory asked for since it was last set to 0.
std::atomic<size_t> largest = 0;

}  // namespace

void* operator new(size_t bytes) {
  size_t before = largest;
  while (bytes > before && !largest.compare_exchange_weak(before, bytes)) {}
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

constexpr uint64_t kBytes = 2048;
constexpr size_t kMost = 1 << 20;  // bytes that a kernel may ask for at once
constexpr unsigned kDeadline = 60;  // seconds for one Program, of which a right one takes microseconds
constexpr uint64_t kLimitNs = 20'000'000'000;  // for a run, however busy the machine is

/// What the handler of the deadline says: which input it was.
volatile unsigned long long now_at = 0;
volatile const char* now_in = "";

void too_late(int) {
  char text[160];
  const int length = std::snprintf(text, sizeof text, "Program %llu is still in schemoe_%s after %u s\n", now_at,
                                   const_cast<const char*>(now_in), kDeadline);
  if (write(2, text, static_cast<size_t>(length)) < 0) _exit(3);
  _exit(2);
}

class Maker {
 public:
  Maker(uint64_t seed, uint32_t a, uint32_t b) : generator_(seed), buffers_{a, b} {
    collect(seed_program(a));
    for (const NumberCase& one : NumberCases().list) collect(one);
    const Words without_numbers[] = {Words().i(8).v(a).v(a, 64), Words().i(4, 2, 2, 1, 1).v(a).v(a, 64).v(a, 128).v(a, 192).v(a, 256),
                                     Words().i(6, 4, 2).v(a).v(a, 128).v(a, 256), Words().i(3, 2, 3, 4).v(a).v(a, 64).v(a, 128),
                                     Words().i(4, 2, 2, 3, 4).v(a).v(a, 64).v(a, 128).v(a, 192).i(0, 2, 3, 0, 2, 1),
                                     Words().i(4, 2).v(a).v(a, 64),
                                     Words().i(8, 2, 1, 3).v(a).v(a, 64).v(a, 128).v(a, 256),
                                     Words().i(0, 2, 4).v(a, 64),
                                     // rows of a table
                                     Words().i(0, 2, 4, 2).m(a, 2, 0).m(a, 2, 0, 64).m(a, 2, 0, 128).i(0, 0)};
    constexpr uint64_t kCodes[] = {19, 42, 43, 51, 74, 77, 79, 81, 4};
    for (size_t i = 0; i < std::size(kCodes); ++i) known_.push_back({kCodes[i], without_numbers[i].list});
    complete();
  }

  std::vector<uint8_t> program() {
    Packed packed(2);
    for (uint32_t task = 0, count = 1 + pick(3); task < count; ++task) {
      packed.operation(task, pick(2), 0, {});
      if (pick(4) == 0) packed.records.back().flags = SCHEMOE_CHECK_NUMBERS;
      for (uint32_t kernels = 1 + pick(2); kernels > 0; --kernels) add(packed);
    }
    return packed.bytes();
  }

 private:
  struct Known {
    uint64_t code;
    std::vector<uint64_t> words;
  };

  uint32_t pick(uint32_t below) { return static_cast<uint32_t>(generator_() % below); }

  /// The kernels of a Program that is right.
  void collect(const Packed& seed) {
    for (size_t at = 0; at < seed.words.size();) {
      const uint64_t code = seed.words[at] & 0xffffffff, count = seed.words[at] >> 32;
      const auto begin = seed.words.begin() + static_cast<std::ptrdiff_t>(at) + 1;
      const schemoe::KernelSpec* spec = schemoe::find_kernel(static_cast<uint32_t>(code));
      if (!spec->transfer) known_.push_back({code, {begin, begin + static_cast<std::ptrdiff_t>(count)}});
      at += 1 + count;
    }
  }

  /// A case whose buffers lie in one, one after another.
  void collect(const NumberCase& one) {
    std::vector<uint64_t> begins;
    uint64_t end = 0;
    for (const CaseBuffer& buffer : one.buffers) {
      begins.push_back(end);
      end += 4 * std::max(buffer.floats.size(), buffer.integers.size());
    }
    check::that(end <= kBytes, one.name + " needs " + std::to_string(end) + " bytes", __FILE__, __LINE__);
    Known kernel{one.code, one.words.list};
    const std::string letters = letters_of(kernel);
    for (size_t i = 0; i + 1 < letters.size(); ++i) {
      if (letters[i] != 'v' || kernel.words[i] >= begins.size()) continue;
      kernel.words[i + 1] += begins[kernel.words[i]];
      kernel.words[i] = buffers_[0];
    }
    known_.push_back(kernel);
  }

  /// Every kernel that can be run by itself is among them.
  void complete() {
    for (const schemoe::KernelSpec& spec : schemoe::kernel_table()) {
      const std::string_view name = spec.name;
      if (spec.transfer || name == "host" || name == "call_source") continue;
      const bool has = std::any_of(known_.begin(), known_.end(), [&](const Known& one) { return one.code == spec.code; });
      check::that(has, "kernel " + std::string(name) + " is not tried", __FILE__, __LINE__);
    }
  }

  void add(Packed& packed) {
    // One that is right with some arguments changed, or all of them by chance.
    if (pick(3) > 0) {
      Known kernel = known_[pick(static_cast<uint32_t>(known_.size()))];
      const std::string letters = letters_of(kernel);
      for (uint32_t changes = pick(4); changes > 0; --changes) change(kernel.words, letters);
      Words words;
      words.list = kernel.words;
      packed.kernel(kernel.code, words);
      return;
    }
    const auto table = schemoe::kernel_table();
    const schemoe::KernelSpec* spec = &table[pick(static_cast<uint32_t>(table.size()))];
    if (spec->transfer || std::string_view(spec->name) == "host") spec = &table[0];
    Words words;
    for (const char* letter = spec->letters; *letter; ++letter) {
      if (*letter == '*') {
        for (uint32_t more = pick(8); more > 0; --more) words.word(integer());
      } else if (*letter == 'v') {
        words.word(buffer()).word(offset());
      } else {
        words.word(*letter == 'f' ? real() : integer());
      }
    }
    packed.kernel(spec->code, words);
  }

  /// A letter for each word: v and o for the two of a view.
  static std::string letters_of(const Known& kernel) {
    std::string letters;
    for (const char* letter = schemoe::find_kernel(static_cast<uint32_t>(kernel.code))->letters; *letter; ++letter) {
      if (*letter == '*') break;
      letters += *letter == 'v' ? "vo" : std::string(1, *letter);
    }
    letters.resize(kernel.words.size(), 'i');
    return letters;
  }

  void change(std::vector<uint64_t>& words, const std::string& letters) {
    const uint32_t at = pick(static_cast<uint32_t>(words.size()));
    switch (letters[at]) {
      case 'v': words[at] = buffer(); break;
      case 'o': words[at] = offset(); break;
      case 'f': words[at] = real(); break;
      default: words[at] = integer();
    }
  }

  uint64_t integer() {
    constexpr uint64_t kEdges[] = {0, 0x7fffffff, 0x80000000, 0xffffffff, uint64_t{1} << 32, uint64_t{1} << 40, uint64_t{1} << 61,
                                   uint64_t{1} << 62, INT64_MAX, uint64_t{1} << 63, UINT64_MAX, 255, 65536};
    return pick(3) > 0 ? pick(9) : kEdges[pick(std::size(kEdges))];
  }
  uint64_t buffer() {
    const uint64_t others[] = {SCHEMOE_NULL_BUFFER, 77, uint64_t{1} << 32};
    return pick(8) > 0 ? buffers_[pick(2)] : others[pick(3)];
  }
  uint64_t offset() {
    constexpr uint64_t kEdges[] = {2, kBytes - 4, kBytes, uint64_t{1} << 40, INT64_MAX, UINT64_MAX};
    return pick(4) > 0 ? 4 * pick(256) : kEdges[pick(std::size(kEdges))];
  }
  uint64_t real() {
    constexpr double kValues[] = {0, 1, -1, 0.5, 1e300, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()};
    return std::bit_cast<uint64_t>(kValues[pick(std::size(kValues))]);
  }

  std::mt19937_64 generator_;
  const uint32_t buffers_[2];
  std::vector<Known> known_;
};

/// Numbers of all sorts: small integers, floats, and what is neither finite nor in range.
void fill(Engine& engine, uint32_t id, std::mt19937_64& generator) {
  std::vector<uint32_t> words(kBytes / 4);
  for (uint32_t& word : words) {
    const uint32_t values[] = {static_cast<uint32_t>(generator() % 4), std::bit_cast<uint32_t>(0.25f), 0x7fc00000, 0x7f800000,
                               0xff800000, static_cast<uint32_t>(generator()), 0, 1};
    word = values[generator() % std::size(values)];
  }
  for (uint32_t rank : {0u, 1u}) engine.write(id, rank, words);
}

/// Counts that once kept `prepare` or a lane busy for ever, or took gigabytes.
void known(Engine& engine, uint64_t b) {
  constexpr int64_t kHuge = int64_t{1} << 62, kInt = INT32_MAX;
  const std::pair<uint64_t, Words> empty[] = {
      {26, Words().i(0, 0, 4, kHuge, 0, 0, 0, 0, 3).v(b).v(b)}, {26, Words().i(0, 0, 4, 0, kHuge, 0, 0, 0, 3).v(b).v(b)},
      {8, Words().i(kInt, 0, 0, 1).v(b).v(b).v(b).v(b)},      {9, Words().i(kInt, 4, 0, 1).v(b).v(b).v(b).v(b)},
      {10, Words().i(0, kInt, 1).v(b).v(b).v(b)},             {15, Words().i(0, kInt, 1, 0).v(b).v(b).v(b).v(b).v(b).f(0)},
      {7, Words().i(kHuge, 0).v(b).v(b)},                      {11, Words().i(kInt, 0, 1, 1).v(b).v(b).v(b)},
      {2, Words().i(0, kHuge, 0, 4).m(b, 4, 0).none().i(0).m(b, 4, 0).i(0)},
      {2, Words().i(0, kHuge, 6, 8).m(b, 8, 0).none().i(0).m(SCHEMOE_NULL_BUFFER, 8, 0).i(5)},
      {1, Words().i(0, 0, 0, 0, kHuge, 0, 4, 4).m(b, 4, 0).m(b, 4, 0).m(b, 4, 0).f(1).f(0).none().i(0, 0)},
      {6, Words().i(0, kHuge, 4, 0).m(b, 0, 0).v(b).i(0, 0)},  {18, Words().i(65536, 0, 0).v(b).v(b)},
      {16, Words().i(0, schemoe::codec_number("fp16"), 0, 0, kHuge, 0, 1, 4).v(b).i(0, 0, 0).v(b).i(0).i(0, 0, 0)},
      {17, Words().i(1, schemoe::codec_number("int8"), 0, 0, 4, 0, 3, kInt).v(b).i(0, 0, 0).v(b).i(0).i(0, 0, 0)}};
  alarm(kDeadline);
  now_in = "prepare or schemoe_run of a known one";
  for (const auto& [code, words] : empty) {
    Packed packed(2);
    packed.operation(0, 0, 0, {});
    packed.kernel(code, words);
    for (uint32_t flags : {uint32_t{0}, uint32_t{SCHEMOE_CHECK_NUMBERS}}) {
      packed.records[0].flags = flags;
      CHECK_EQUAL(engine.run(packed, 20).text, "");
    }
  }
  const std::pair<uint64_t, Words> endless[] = {
      {18, Words().i(kHuge, 1, 0).v(b).v(b)},
      {4, Words().i(0, kHuge, 1, 1).m(b, 1, 0).m(b, 1, 0).m(b, 1, 0).i(0)},
      {1, Words().i(0, 0, 0, 0, kHuge, 1, 1, 1).m(b, 1, 0).m(b, 1, 0).m(b, 1, 0).f(1).f(0).none().i(0, 0)},
      {6, Words().i(0, kHuge, 1, 1).m(b, 1, 0).v(b).i(0, 0)}};
  for (const auto& [code, words] : endless) {
    Packed packed(2);
    packed.operation(0, 0, 0, {});
    packed.kernel(code, words);
    CHECK_EQUAL(engine.run(packed, 20).status, SCHEMOE_INVALID);
  }
}

/// ` gemm(0, 0, 18446744073709551615, ...)` for each kernel of a Program.
std::string text_of(const std::vector<uint8_t>& bytes) {
  schemoe_program_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::vector<uint64_t> words(header.words);
  const size_t at = sizeof header + header.operations * sizeof(schemoe_operation) + (header.waits + 1) / 2 * 8;
  std::memcpy(words.data(), bytes.data() + at, words.size() * 8);
  std::string text;
  for (size_t i = 0; i < words.size();) {
    text += std::string(" ") + schemoe::find_kernel(static_cast<uint32_t>(words[i]))->name + '(';
    const size_t end = i + 1 + (words[i] >> 32);
    for (++i; i < end; ++i) text += std::to_string(words[i]) + (i + 1 < end ? ", " : ")");
  }
  return text;
}

long most_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 0;
  const uint64_t seed = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 5;
  const auto begun = std::chrono::steady_clock::now();
  const auto over = [&](uint64_t made) {
    if (seconds == 0) return made == 50000;
    return std::chrono::steady_clock::now() - begun > std::chrono::duration<double>(seconds);
  };
  std::signal(SIGALRM, too_late);
  Engine engine(1, 2);
  const uint32_t a = engine.allocate(kBytes), b = engine.allocate(kBytes);
  Maker maker(seed, a, b);
  std::mt19937_64 generator(seed + 1);
  const long before = most_kilobytes();
  known(engine, a);
  uint64_t made = 0, refused = 0, ended = 0, ran = 0;
  for (; !over(made); ++made) {
    if (made % 50 == 0) {
      fill(engine, a, generator);
      fill(engine, b, generator);
    }
    now_at = made;
    const std::vector<uint8_t> bytes = maker.program();
    schemoe_program* program = nullptr;
    schemoe_failure failure;
    alarm(kDeadline);
    largest = 0;
    now_in = "prepare";
    if (schemoe_prepare(engine.handle, bytes.data(), bytes.size(), &program, &failure) != SCHEMOE_OK) {
      ++refused;
      if (!*failure.text) CHECK_EQUAL(made, uint64_t{0});
      continue;
    }
    uint32_t operations;
    std::memcpy(&operations, bytes.data() + 12, 4);
    std::vector<schemoe_event> events(operations);
    now_in = "run";
    const int32_t status = schemoe_run(engine.handle, program, kLimitNs, events.data(), operations, &failure);
    ++(status == SCHEMOE_OK ? ran : ended);
    // Buffers of 4 KiB give nobody a reason to take memory or time.
    if (status == SCHEMOE_OUT_OF_MEMORY || status == SCHEMOE_TIME_LIMIT || largest > kMost) {
      const std::string asked = " asked for " + std::to_string(largest) + " bytes at once: ";
      check::that(false, "Program " + std::to_string(made) + asked + check::said(failure) + text_of(bytes), __FILE__, __LINE__);
    }
    now_in = "release";
    CHECK_EQUAL(schemoe_release(program, &failure), SCHEMOE_OK);
  }
  alarm(0);
  // All three happen, or the test tests nothing.
  CHECK(refused > made / 20 && ended > made / 50 && ran > made / 20);
#ifndef SCHEMOE_SANITIZED
  CHECK(most_kilobytes() - before < 64 * 1024);
#endif
  std::printf("%llu Programs from seed %llu: %llu refused, %llu ended early, %llu ran; %ld KiB more than before\n",
              static_cast<unsigned long long>(made), static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(refused), static_cast<unsigned long long>(ended),
              static_cast<unsigned long long>(ran), most_kilobytes() - before);
  return check::result();
}
