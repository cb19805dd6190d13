#include "runtime/program.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "runtime/check_numbers.h"
#include "runtime/failure.h"
#include "runtime/nvtx_ranges.h"

namespace schemoe {

static_assert(sizeof(schemoe_program_header) == 32 && sizeof(schemoe_operation) == 40);
static_assert(sizeof(schemoe_event) == 32 && sizeof(schemoe_config) == 32);

namespace {

// A pace beyond this many seconds is a mistake, and would overflow nanoseconds later.
constexpr double kMostSeconds = 1e6;

class Parser {
 public:
  Parser(std::span<const uint8_t> packed, uint32_t ranks) : packed_(packed), ranks_(ranks) {}

  std::unique_ptr<const Program> parse() {
    read_header();
    program_->lanes.resize(size_t{ranks_} * kLanes);
    program_->operations.reserve(header_.operations);
    for (uint32_t i = 0; i < header_.operations; ++i) read_operation(i);
    if (next_wait_ != header_.waits || next_word_ != header_.words) {
      fail(SCHEMOE_INVALID, "some waits or words belong to no operation");
    }
    read_names();
    for (const auto& [place, requirement] : requirements_) program_->requirements.push_back(requirement);
    meet_transfers(*program_);
    find_successors(*program_);
    check_no_circle(*program_);
    return std::move(program_);
  }

 private:
  void read_header() {
    if (packed_.size() < sizeof header_) {
      fail(SCHEMOE_INVALID, packed_.size(), " bytes are fewer than its header");
    }
    std::memcpy(&header_, packed_.data(), sizeof header_);
    if (header_.magic != SCHEMOE_PROGRAM_MAGIC) fail(SCHEMOE_INVALID, "it does not begin with SMOE");
    if (header_.abi_version != SCHEMOE_ABI_VERSION) {
      fail(SCHEMOE_INVALID, "it has version ", header_.abi_version, ", this library takes ", SCHEMOE_ABI_VERSION);
    }
    if (header_.ranks != ranks_) {
      fail(SCHEMOE_INVALID, "it is for ", header_.ranks, " ranks, the engine has ", ranks_);
    }
    const uint64_t operations = uint64_t{header_.operations} * sizeof(schemoe_operation);
    const uint64_t waits = (uint64_t{header_.waits} + 1) / 2 * 8;
    const uint64_t words = uint64_t{header_.words} * 8;
    const uint64_t regions = uint64_t{header_.regions} * sizeof(schemoe_region);
    const uint64_t bytes = sizeof header_ + operations + waits + words + regions + header_.names;
    if (packed_.size() != bytes) {
      fail(SCHEMOE_INVALID, "its header asks for ", bytes, " bytes, it has ", packed_.size());
    }
    // Copies, because the packed bytes need not be aligned and the caller keeps them.
    const uint8_t* at = packed_.data() + sizeof header_;
    records_.resize(header_.operations);
    copy(records_.data(), at, operations);
    at += operations;
    program_->ranks = ranks_;
    program_->waits.resize(header_.waits);
    copy(program_->waits.data(), at, uint64_t{header_.waits} * 4);
    at += waits;
    program_->words.resize(header_.words);
    copy(program_->words.data(), at, words);
    at += words;
    regions_.resize(header_.regions);
    copy(regions_.data(), at, regions);
    for (size_t i = 0; i < regions_.size(); ++i) {
      const schemoe_region& region = regions_[i];
      if (region.reserved != 0 || region.buffer >= SCHEMOE_FIRST_REGION || region.begin > INT64_MAX ||
          region.bytes > INT64_MAX - region.begin) {
        fail(SCHEMOE_INVALID, "region ", i, " is none");
      }
    }
    names_ = packed_.last(header_.names);
  }

  void read_names() {
    if (names_.empty()) return;
    uint64_t tasks = 0;
    for (const Operation& operation : program_->operations) tasks = std::max(tasks, operation.task + uint64_t{1});
    auto at = names_.begin();
    for (uint64_t name = 0; name <= tasks; ++name) {
      const auto end = std::find(at, names_.end(), 0);
      if (end == at || end == names_.end()) fail(SCHEMOE_INVALID, "it has ", name, " names for itself and ", tasks, " tasks");
      program_->names.emplace_back(at, end);
      at = end + 1;
    }
    if (names_.size() % 8 != 0 || names_.end() - at >= 8 || std::any_of(at, names_.end(), [](uint8_t b) { return b != 0; })) {
      fail(SCHEMOE_INVALID, "something follows its names");
    }
    if (!has_nvtx()) {
      fail(SCHEMOE_UNSUPPORTED, "the library was built without NVTX, which its names of tasks are for; install the headers "
                                "of the CUDA toolkit (nvtx3) and rebuild, or run without ranges");
    }
  }

  static void copy(void* to, const uint8_t* from, uint64_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  void read_operation(uint32_t index) {
    const schemoe_operation& record = records_[index];
    Operation operation{record.task, record.rank, record.lane, (record.flags & SCHEMOE_COMMUNICATION) != 0,
                        (record.flags & SCHEMOE_CHECK_NUMBERS) != 0, -1, {}, {}, {}, {}};
    try {
      check_record(record);
      if (record.seconds >= 0) operation.pace_ns = std::llround(record.seconds * 1e9);
      operation.waits = {record.first_wait, record.waits};
      for (uint32_t before : slice(program_->waits, operation.waits)) {
        if (before >= index) {
          fail(SCHEMOE_INVALID, "operation ", index, " waits for operation ", before, ", which is not before it");
        }
      }
      operation.calls.first = static_cast<uint32_t>(program_->calls.size());
      std::array<uint32_t, kLanes> done = done_before(operation);
      program_->tables.on({index, record.rank, record.lane, done});
      read_calls(index, operation, record);
      operation.calls.count = static_cast<uint32_t>(program_->calls.size()) - operation.calls.first;
    } catch (const Failure& failure) {
      throw failure.in(place_of(operation));
    }
    done_.push_back(done_before(operation));
    done_.back()[record.lane] = index + 1;
    program_->lanes[record.rank * kLanes + record.lane].push_back(index);
    program_->operations.push_back(operation);
  }

  /// Of each lane of its rank, the last operation that is done before this one, counted from 1.
  std::array<uint32_t, kLanes> done_before(const Operation& operation) const {
    std::array<uint32_t, kLanes> done{};
    const auto after = [&](uint32_t before) {
      if (program_->operations[before].rank != operation.rank) return;
      for (uint32_t lane = 0; lane < kLanes; ++lane) done[lane] = std::max(done[lane], done_[before][lane]);
    };
    const auto& lane = program_->lanes[operation.rank * kLanes + operation.lane];
    if (!lane.empty()) after(lane.back());
    for (uint32_t before : slice(program_->waits, operation.waits)) after(before);
    return done;
  }

  void check_record(const schemoe_operation& record) {
    if (record.rank >= ranks_) fail(SCHEMOE_INVALID, "there are only ", ranks_, " ranks");
    if (record.lane >= kLanes) fail(SCHEMOE_INVALID, "there is no lane ", record.lane);
    if ((record.flags & ~uint32_t{SCHEMOE_COMMUNICATION | SCHEMOE_CHECK_NUMBERS}) != 0) fail(SCHEMOE_INVALID, "flags ", record.flags, " are unknown");
    if (!(record.seconds <= kMostSeconds) || std::isinf(record.seconds)) {
      fail(SCHEMOE_INVALID, "it cannot be paced to ", record.seconds, " seconds");
    }
    // Sections without gaps: each wait and word belongs to exactly one operation.
    if (record.first_wait != next_wait_ || record.waits > header_.waits - next_wait_) {
      fail(SCHEMOE_INVALID, "its waits do not follow those of the operation before");
    }
    if (record.first_word != next_word_ || record.words > header_.words - next_word_) {
      fail(SCHEMOE_INVALID, "its words do not follow those of the operation before");
    }
    next_wait_ += record.waits;
    next_word_ += record.words;
  }

  void read_calls(uint32_t index, const Operation& operation, const schemoe_operation& record) {
    auto words = std::span<const uint64_t>(program_->words).subspan(record.first_word, record.words);
    while (!words.empty()) {
      const auto code = static_cast<uint32_t>(words[0]);
      const uint64_t count = words[0] >> 32;
      const KernelSpec* spec = find_kernel(code);
      if (!spec) fail(SCHEMOE_INVALID, "there is no kernel ", code);
      if (count > words.size() - 1 || !fits(*spec, count)) {
        fail(SCHEMOE_INVALID, "kernel ", spec->name, ": ", count, " argument words do not fit");
      }
      if (spec->transfer != operation.communication) {
        fail(SCHEMOE_INVALID, "kernel ", spec->name, " cannot be part of ",
             operation.communication ? "communication" : "computation");
      }
      read_call(index, operation, *spec, words.subspan(1, count));
      words = words.subspan(1 + count);
    }
  }

  void read_call(uint32_t index, const Operation& operation, const KernelSpec& spec,
                 std::span<const uint64_t> words) {
    extents_.clear();
    Reader reader(spec.letters, words, extents_, regions_, &program_->tables);
    try {
      program_->calls.push_back({&spec, spec.read(reader)});
      if (!reader.done()) fail(SCHEMOE_INVALID, "an argument is left over");
    } catch (const Failure& failure) {
      throw failure.saying(join("kernel ", spec.name, ": ", failure.text()));
    }
    if (operation.checked) add_checks(program_->calls);
    for (const Extent& extent : extents_) {
      const Requirement requirement{extent.buffer, operation.rank, extent.end, index, &spec};
      const auto [at, fresh] = requirements_.try_emplace({extent.buffer, operation.rank}, requirement);
      if (!fresh && at->second.bytes < extent.end) at->second = requirement;
    }
  }

  std::span<const uint8_t> packed_;
  uint32_t ranks_;
  std::span<const uint8_t> names_;
  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  schemoe_program_header header_{};
  std::vector<schemoe_operation> records_;
  std::vector<Extent> extents_;
  std::vector<schemoe_region> regions_;
  std::map<std::pair<uint32_t, uint32_t>, Requirement> requirements_;
  std::vector<std::array<uint32_t, kLanes>> done_;
  uint32_t next_wait_ = 0;
  uint32_t next_word_ = 0;
};

}  // namespace

std::unique_ptr<const Program> parse_program(std::span<const uint8_t> packed, uint32_t ranks) {
  try {
    return Parser(packed, ranks).parse();
  } catch (const Failure& failure) {
    throw failure.saying(join("Cannot prepare the Program: ", failure.text()));
  }
}

}  // namespace schemoe
