#include "runtime/sources.h"

#include <dlfcn.h>

#include <algorithm>
#include <deque>
#include <map>
#include <shared_mutex>
#include <sstream>

#include "runtime/failure.h"

namespace schemoe {

namespace {

struct Source {
  std::deque<SourceFunction> functions;  // stay where they are
};

struct Sources {
  std::shared_mutex mutex;
  std::map<int64_t, Source> list;
};

Sources& sources() {
  static Sources all;
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string entry_of(const std::string& function) { return "schemoe_call_" + function; }

/// The entries of a shared library.
std::vector<void*> load_library(const std::string& source, const std::vector<std::string>& names, std::span<const uint8_t> image) {
  const std::string path(reinterpret_cast<const char*>(image.data()), image.size());
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) fail(SCHEMOE_UNSUPPORTED, "Cannot load the source \"", source, "\": ", dlerror());
  std::vector<void*> entries;
  for (const std::string& name : names) {
    entries.push_back(dlsym(handle, entry_of(name).c_str()));
    if (!entries.back()) {
      fail(SCHEMOE_INVALID, "Cannot load the source \"", source, "\": ", path, " has no ", entry_of(name));
    }
  }
  return entries;
}

std::vector<int64_t> key_of(const CallSource& call, uint32_t kind) {
  std::vector<int64_t> key{kind};
  key.insert(key.end(), call.bytes.begin(), call.bytes.end());
  key.insert(key.end(), call.numbers.begin(), call.numbers.end());
  return key;
}

}  // namespace

bool SourceFunction::proven(const CallSource& call, uint32_t kind) const {
  const std::vector<int64_t> key = key_of(call, kind);
  const std::lock_guard lock(mutex_);
  return proven_.contains(key);
}

void SourceFunction::prove(const CallSource& call, uint32_t kind) const {
  std::vector<int64_t> key = key_of(call, kind);
  const std::lock_guard lock(mutex_);
  proven_.insert(std::move(key));
}

void load_source(uint32_t kind, uint64_t number, const std::string& name, const std::string& functions, std::span<const uint8_t> image) {
  if (number == 0 || number >> 53) fail(SCHEMOE_INVALID, "Cannot load the source \"", name, "\": its number is ", number);
  const std::vector<std::string> names = lines_of(functions);
  if (names.empty()) fail(SCHEMOE_INVALID, "Cannot load the source \"", name, "\": it has no functions");
  auto& [mutex, list] = sources();
  const std::unique_lock lock(mutex);
  const auto place = list.find(static_cast<int64_t>(number));
  if (place != list.end()) {
    const SourceFunction& known = place->second.functions.front();
    if (kind == SCHEMOE_CPU ? known.cpu != nullptr : known.cuda != nullptr) return;
  }
  std::vector<void*> cpu(names.size());
  std::vector<const void*> cuda(names.size());
  if (kind == SCHEMOE_CPU) {
    cpu = load_library(name, names, image);
#ifdef SCHEMOE_WITH_CUDA
  } else if (kind == SCHEMOE_CUDA) {
    std::vector<std::string> entries;
    for (const std::string& function : names) entries.push_back(entry_of(function));
    cuda = cuda::load_image(name, entries, image);
#endif
  } else {
    fail(SCHEMOE_UNSUPPORTED, "Cannot load the source \"", name, "\" for engines of kind ", kind,
         ": the library was built without them");
  }
  auto& loaded = list[static_cast<int64_t>(number)].functions;
  for (size_t i = loaded.size(); i < names.size(); ++i) {
    SourceFunction& function = loaded.emplace_back();
    function.source = name;
    function.name = names[i];
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (cpu[i]) loaded[i].cpu = reinterpret_cast<void (*)(void* const*, const int64_t*)>(cpu[i]);
    if (cuda[i]) loaded[i].cuda = cuda[i];
  }
}

const SourceFunction& find_source(int64_t number, int64_t function) {
  auto& [mutex, list] = sources();
  const std::shared_lock lock(mutex);
  const auto place = list.find(number);
  if (place == list.end()) fail(SCHEMOE_INVALID, "the source of number ", number, " is not loaded");
  const auto& functions = place->second.functions;
  if (function < 0 || static_cast<size_t>(function) >= functions.size()) {
    fail(SCHEMOE_INVALID, "the source \"", functions.front().source, "\" has no function ", function);
  }
  return functions[static_cast<size_t>(function)];
}

void not_loaded(const SourceFunction& function, const char* kind) {
  fail(SCHEMOE_UNSUPPORTED, "the source \"", function.source, "\" was not loaded for ", kind);
}

void check_guards(const SourceFunction& f, const std::byte* output, size_t bytes, int fill) {
  const auto kept = [&](const std::byte* guard) {
    return std::all_of(guard, guard + kGuardBytes, [&](std::byte b) { return b == static_cast<std::byte>(fill); });
  };
  if (kept(output - kGuardBytes) && kept(output + bytes)) return;
  fail(SCHEMOE_INVALID, f.name, " of \"", f.source, "\" writes beside its output of ", bytes, " bytes");
}

void compare_outputs(const SourceFunction& f, const std::byte* first, const std::byte* second, size_t bytes) {
  const auto at = static_cast<size_t>(std::mismatch(first, first + bytes, second).first - first);
  if (at == bytes) return;
  if (first[at] == static_cast<std::byte>(kSourceFills[0]) && second[at] == static_cast<std::byte>(kSourceFills[1])) {
    fail(SCHEMOE_INVALID, f.name, " of \"", f.source, "\" does not write byte ", at, " of its output of ", bytes, " bytes");
  }
  fail(SCHEMOE_INVALID, f.name, " of \"", f.source, "\" gives another byte ", at, " of ", bytes,
       " when it is called again with the same values; it must depend on nothing else");
}

CallSource::CallSource(Reader& r) {
  const int64_t number = r.integer();
  function = &find_source(number, r.integer());
  threads = r.integer();
  output = r.integer("the output", kBuffers);
  for (size_t i = 0; i < kBuffers; ++i) {
    buffers[i] = r.optional_view();
    bytes[i] = r.integer();
    if (buffers[i].null() && bytes[i] > 0) fail(SCHEMOE_INVALID, "buffer ", i, " has ", bytes[i], " bytes and no place");
    if (!buffers[i].null()) r.touch(buffers[i], bytes[i], 1);
  }
  if (output > 0 && buffers[static_cast<size_t>(output - 1)].null()) fail(SCHEMOE_INVALID, "the output has no place");
  numbers = r.rest();
  if (numbers.size() > kNumbers) fail(SCHEMOE_INVALID, "there are ", numbers.size(), " numbers, at most ", kNumbers, " are possible");
}

}  // namespace schemoe
