// What went wrong: a status of the C interface and one line of text.
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>

#include "schemoe.h"

namespace schemoe {

class Failure : public std::exception {
 public:
  Failure(schemoe_status status, std::string text) : status_(status), text_(std::move(text)) {}
  schemoe_status status() const noexcept { return status_; }
  const std::string& text() const noexcept { return text_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  schemoe_status status_;
  std::string text_;
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

}  // namespace schemoe
