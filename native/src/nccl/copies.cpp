#include "nccl/copies.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

namespace schemoe::nccl {

namespace {

namespace fs = std::filesystem;

/// A file that is the same library to everybody but the loader; deleted once it is loaded.
class TemporaryCopy {
 public:
  TemporaryCopy(const std::string& of, uint32_t node) {
    std::string pattern = (fs::temp_directory_path() / "schemoe-nccl-XXXXXX").string();
    if (!mkdtemp(pattern.data())) fail(SCHEMOE_UNSUPPORTED, "Cannot copy NCCL: no folder can be made in ", fs::temp_directory_path().string());
    folder_ = pattern;
    file_ = folder_ / join("libnccl-node", node, ".so.2");
    std::error_code error;
    fs::copy_file(of, file_, error);
    if (error) {
      const std::string text = error.message();
      fs::remove_all(folder_, error);
      fail(SCHEMOE_UNSUPPORTED, "Cannot copy NCCL for an emulated node from ", of, " to ", folder_.string(), ": ", text);
    }
  }
  ~TemporaryCopy() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  TemporaryCopy(const TemporaryCopy&) = delete;
  std::string path() const { return file_.string(); }

 private:
  fs::path folder_, file_;
};

/// Makes a communicator of one rank, for which the copy asks its host's name.
void name_host(const Library& library, uint32_t node) {
  // NCCL knows it from here only, each copy another one: it is set while other threads may read variables.
  setenv("NCCL_HOSTID", join("schemoe-node", node).c_str(), 1);
  Id id;
  library.check(library.unique_id(&id), "ncclGetUniqueId");
  Config config;
  Communicator alone = nullptr;
  library.check(library.init(&alone, 1, id, 0, &config), "ncclCommInitRankConfig");
  library.check(library.destroy(alone), "ncclCommDestroy");
}

}  // namespace

const Library& copy_for_node(const std::string& path, uint32_t node) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, uint32_t>, Library> copies;
  const std::lock_guard lock(mutex);
  const std::string original = open_library(path).path;
  const auto found = copies.find({original, node});
  if (found != copies.end()) return found->second;
  const char* before = getenv("NCCL_HOSTID");
  const std::string kept = before ? before : "";
  const TemporaryCopy copy(original, node);
  const Library library = open_library(copy.path());
  name_host(library, node);
  if (before) setenv("NCCL_HOSTID", kept.c_str(), 1);
  else unsetenv("NCCL_HOSTID");
  return copies.emplace(std::pair{original, node}, library).first->second;
}

}  // namespace schemoe::nccl
