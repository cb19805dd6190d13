// A tool that NVTX loads (NVTX_INJECTION64_PATH): writes what happens in the domain "schemoe" to the end of
// the file SCHEMOE_NVTX_RECORD, one line each: `category ID NAME`, `push THREAD CATEGORY RANK NAME` and
// `pop THREAD`. The interface is that of nvtxDetail/nvtxTypes.h.
#include <nvtx3/nvToolsExt.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

char domain_of_schemoe, any_other_domain;

nvtxDomainHandle_t handle(char& domain) { return reinterpret_cast<nvtxDomainHandle_t>(&domain); }

/// One write a line, so that lines of several threads do not mix.
void record(const std::string& line) {
  static const int file = [] {
    const char* path = std::getenv("SCHEMOE_NVTX_RECORD");
    return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  }();
  const std::string whole = line + '\n';
  if (file < 0 || write(file, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) std::abort();
}

std::string thread() { return std::to_string(gettid()); }

nvtxDomainHandle_t NVTX_API create(const char* name) {
  return handle(std::strcmp(name, "schemoe") == 0 ? domain_of_schemoe : any_other_domain);
}

void NVTX_API name_category(nvtxDomainHandle_t domain, uint32_t id, const char* name) {
  if (domain == handle(domain_of_schemoe)) record("category " + std::to_string(id) + ' ' + name);
}

int NVTX_API push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* range) {
  if (domain != handle(domain_of_schemoe)) return 0;
  const bool ranked = range->payloadType == NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
  record("push " + thread() + ' ' + std::to_string(range->category) + ' ' +
         (ranked ? std::to_string(range->payload.ullValue) : "-") + ' ' + range->message.ascii);
  return 0;
}

int NVTX_API pop(nvtxDomainHandle_t domain) {
  if (domain == handle(domain_of_schemoe)) record("pop " + thread());
  return 0;
}

}  // namespace

/// Called once for each library of the process that has ranges, each of which has NVTX of its own.
extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned int size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size)) return 0;
  const auto set = [&](unsigned int id, auto* function) {
    if (id < size) *table[id] = reinterpret_cast<NvtxFunctionPointer>(function);
  };
  set(NVTX_CBID_CORE2_DomainCreateA, create);
  set(NVTX_CBID_CORE2_DomainNameCategoryA, name_category);
  set(NVTX_CBID_CORE2_DomainRangePushEx, push);
  set(NVTX_CBID_CORE2_DomainRangePop, pop);
  return 1;
}
