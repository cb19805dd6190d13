// What went wrong: a status of the C interface, one line of text, and where. It owns no memory, so that
// an exhausted one can still be reported, and copying it never fails.
#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "schemoe.h"

namespace schemoe {

/// Parts of a Program or an engine that a failure is about; SCHEMOE_NONE where it is about none.
struct Place {
  uint32_t task = SCHEMOE_NONE;
  uint32_t rank = SCHEMOE_NONE;
  uint32_t buffer = SCHEMOE_NONE;
};

class Failure : public std::exception {
 public:
  Failure(schemoe_status status, std::string_view text, Place place = {}) noexcept
      : record_{static_cast<uint32_t>(status), place.task, place.rank, place.buffer, {}, {}} {
    put(record_.text, text);
  }

  schemoe_status status() const noexcept { return static_cast<schemoe_status>(record_.status); }
  std::string_view text() const noexcept { return record_.text; }
  const char* what() const noexcept override { return record_.text; }
  /// As the C interface reports it.
  const schemoe_failure& record() const noexcept { return record_; }

  /// The same with its empty fields filled in.
  Failure in(Place place) const noexcept {
    Failure result = *this;
    const auto fill = [](uint32_t& field, uint32_t value) { if (field == SCHEMOE_NONE) field = value; };
    fill(result.record_.task, place.task);
    fill(result.record_.rank, place.rank);
    fill(result.record_.buffer, place.buffer);
    return result;
  }
  /// The same with another text.
  Failure saying(std::string_view text) const noexcept {
    Failure result = *this;
    put(result.record_.text, text);
    return result;
  }
  /// The same, with the first task that a run did not get done: `what` it was about.
  Failure unfinished(Place place, std::string_view what) const noexcept {
    Failure result = *this;
    result.record_.task = place.task;
    result.record_.rank = place.rank;
    put(result.record_.unfinished, what);
    return result;
  }

 private:
  template <size_t N>
  static void put(char (&to)[N], std::string_view text) noexcept {
    size_t bytes = text.size();
    if (bytes >= N) {
      bytes = N - 1;
      // Cut between characters of UTF-8, not inside one.
      while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
    }
    std::memset(to, 0, N);
    if (bytes > 0) std::memcpy(to, text.data(), bytes);
  }

  schemoe_failure record_;
};

/// The parts one after another.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(schemoe_status status, const Parts&... parts) {
  throw Failure(status, join(parts...));
}

template <class... Parts>
[[noreturn]] void fail_at(Place place, schemoe_status status, const Parts&... parts) {
  throw Failure(status, join(parts...), place);
}

/// Of a run that took too long.
inline Failure late(uint64_t time_limit_ns) noexcept {
  try {
    return Failure(SCHEMOE_TIME_LIMIT, join("Cannot finish the run in ", static_cast<double>(time_limit_ns) * 1e-9, " s"));
  } catch (...) {
    return Failure(SCHEMOE_TIME_LIMIT, "Cannot finish the run in time");
  }
}

/// The exception in flight, for `catch (...)`: never throws, whatever it is.
inline Failure caught() noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::bad_alloc&) {
    return Failure(SCHEMOE_OUT_OF_MEMORY, "Cannot go on: out of memory");
  } catch (const std::exception& exception) {
    return Failure(SCHEMOE_OUT_OF_MEMORY, exception.what());
  } catch (...) {
    return Failure(SCHEMOE_INVALID, "Cannot go on: an unknown exception");
  }
}

/// The exception in flight with context before its text; without where there is no memory for that.
template <class... Parts>
Failure caught_in(Place place, const Parts&... before) noexcept {
  const Failure failure = caught().in(place);
  try {
    return failure.saying(join(before..., failure.text()));
  } catch (...) {
    return failure;
  }
}

}  // namespace schemoe
