#include "runtime/opened.h"

#include <pthread.h>

#include <functional>
#include <memory>
#include <set>

#include "runtime/failure.h"

namespace schemoe {

namespace {

struct Less {
  using is_transparent = void;
  bool operator()(const schemoe_engine* a, const schemoe_engine* b) const noexcept { return std::less<>()(a, b); }
};
using Opened = std::set<schemoe_engine*, Less>;  // by const pointers too

extern "C" void close_all(void* value) {
  const std::unique_ptr<Opened> opened(static_cast<Opened*>(value));
  for (schemoe_engine* engine : *opened) schemoe_close(engine, nullptr);
}

/// Not thread_local: destructors of those run for the thread that ends the process, too, while runs go on.
pthread_key_t key() {
  static const pthread_key_t made = [] {
    pthread_key_t fresh;
    if (::pthread_key_create(&fresh, close_all) != 0) fail(SCHEMOE_OUT_OF_MEMORY, "Cannot open an engine: no key for its thread");
    return fresh;
  }();
  return made;
}

}  // namespace

void close_with_thread(schemoe_engine* engine) {
  if (auto* const opened = static_cast<Opened*>(::pthread_getspecific(key()))) {
    opened->insert(engine);
    return;
  }
  auto first = std::make_unique<Opened>();
  first->insert(engine);
  if (::pthread_setspecific(key(), first.get()) != 0) fail(SCHEMOE_OUT_OF_MEMORY, "Cannot open an engine: out of memory");
  static_cast<void>(first.release());
}

void forget_with_thread(const schemoe_engine* engine) noexcept {
  try {
    auto* const opened = static_cast<Opened*>(::pthread_getspecific(key()));
    if (!opened) return;
    const auto at = opened->find(engine);
    if (at != opened->end()) opened->erase(at);
    if (!opened->empty()) return;
    ::pthread_setspecific(key(), nullptr);
    delete opened;
  } catch (...) { /* without a key nothing was opened */
  }
}

}  // namespace schemoe
