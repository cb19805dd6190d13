// Objects behind the handles of the C interface. A handle is a number that is used once, so that one of
// something closed is found out and not followed, whatever lies at an address by then.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace schemoe {

/// `Handle` is the incomplete type of the C interface.
template <class Handle, class Object>
class Handles {
 public:
  Handle* add(std::shared_ptr<Object> object) {
    const std::lock_guard lock(mutex_);
    const uintptr_t number = ++last_;
    objects_.emplace(number, std::move(object));
    return reinterpret_cast<Handle*>(number);
  }
  /// Null where there is none.
  std::shared_ptr<Object> find(const Handle* handle) const {
    const std::lock_guard lock(mutex_);
    const auto at = objects_.find(reinterpret_cast<uintptr_t>(handle));
    return at == objects_.end() ? nullptr : at->second;
  }
  /// The same, and the handle is no more.
  std::shared_ptr<Object> take(const Handle* handle) {
    const std::lock_guard lock(mutex_);
    const auto at = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (at == objects_.end()) return nullptr;
    const std::shared_ptr<Object> object = std::move(at->second);
    objects_.erase(at);
    return object;
  }

 private:
  mutable std::mutex mutex_;
  uintptr_t last_ = 0;
  std::map<uintptr_t, std::shared_ptr<Object>> objects_;
};

}  // namespace schemoe
