// Assertions that count and go on, so that one run shows everything that is wrong.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdio>
#include <string>
#include <type_traits>

#include "schemoe.h"

namespace check {

inline std::atomic<long> passed = 0;
inline std::atomic<long> failed = 0;

inline bool that(bool holds, const std::string& what, const char* file, int line) {
  if (holds) ++passed;
  else if (++failed <= 20) std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  return holds;
}

/// For the end of main: 0 when all held, and something was asserted.
inline int result() {
  std::printf("%ld assertions, %ld failed\n", passed + failed, failed.load());
  return failed == 0 && passed > 0 ? 0 : 1;
}

inline bool near(double actual, double expected, double tolerance) {
  return std::abs(actual - expected) <= tolerance * std::fmax(1.0, std::abs(expected));
}

/// The text of a failure and where it was, with numbers for names.
inline std::string said(const schemoe_failure& failure) {
  std::string text = failure.text;
  if (failure.status == SCHEMOE_OK) return text;
  const auto number = [](uint32_t value) { return std::to_string(value); };
  if (*failure.unfinished) return text + ": task #" + number(failure.task) + " on rank " + number(failure.rank) + " " + failure.unfinished;
  if (failure.task != SCHEMOE_NONE) text += ", in task #" + number(failure.task);
  if (failure.rank != SCHEMOE_NONE) text += " on rank " + number(failure.rank);
  if (failure.buffer != SCHEMOE_NONE) text += ", buffer #" + number(failure.buffer);
  return text;
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_convertible_v<T, std::string>) return value;
  else return std::to_string(value);
}

// Functions, so that what a macro is given is done once.
template <class A, class B>
bool equal(const char* name, const A& actual, const B& expected, const char* file, int line) {
  if (actual == expected) return that(true, name, file, line);
  return that(false, std::string(name) + " is " + text_of(actual) + " and not " + text_of(expected), file, line);
}

inline bool close_to(const char* name, double actual, double expected, double tolerance, const char* file, int line) {
  if (near(actual, expected, tolerance)) return that(true, name, file, line);
  return that(false, std::string(name) + " is " + text_of(actual) + " and not " + text_of(expected), file, line);
}

inline bool contains(const std::string& text, const std::string& part, const char* file, int line) {
  return that(text.find(part) != std::string::npos, "\"" + text + "\" lacks \"" + part + "\"", file, line);
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(actual, expected) check::equal(#actual, actual, expected, __FILE__, __LINE__)
#define CHECK_NEAR(actual, expected, tolerance) check::close_to(#actual, actual, expected, tolerance, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check::contains(text, part, __FILE__, __LINE__)
