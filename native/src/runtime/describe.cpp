#include "runtime/describe.h"

#include <cblas.h>

#include <cstddef>
#include <sstream>

#include "runtime/kernel_table.h"
#include "runtime/nvtx_ranges.h"
#include "schemoe.h"

namespace schemoe {

namespace {

#ifdef SCHEMOE_WITH_CUDA
constexpr const char* kCuda = "true";
#else
constexpr const char* kCuda = "false";
#endif

struct Member {
  const char* name;
  size_t offset;
};

void write_struct(std::ostream& out, const char* name, size_t size, std::initializer_list<Member> members) {
  out << '"' << name << R"(":{"size":)" << size << R"(,"members":{)";
  const char* separator = "";
  for (const Member& member : members) {
    out << separator << '"' << member.name << "\":" << member.offset;
    separator = ",";
  }
  out << "}}";
}

#define MEMBER(type, name) \
  Member { #name, offsetof(type, name) }

void write_structs(std::ostream& out) {
  write_struct(out, "schemoe_config", sizeof(schemoe_config),
               {MEMBER(schemoe_config, abi_version), MEMBER(schemoe_config, kind),
                MEMBER(schemoe_config, nodes), MEMBER(schemoe_config, ranks_per_node),
                MEMBER(schemoe_config, flags), MEMBER(schemoe_config, reserved)});
  out << ',';
  write_struct(out, "schemoe_cuda", sizeof(schemoe_cuda),
               {MEMBER(schemoe_cuda, transport), MEMBER(schemoe_cuda, emulate_nodes), MEMBER(schemoe_cuda, max_ctas),
                MEMBER(schemoe_cuda, devices), MEMBER(schemoe_cuda, slot), MEMBER(schemoe_cuda, slots),
                MEMBER(schemoe_cuda, copy_by), MEMBER(schemoe_cuda, reserved)});
  out << ',';
  write_struct(out, "schemoe_event", sizeof(schemoe_event),
               {MEMBER(schemoe_event, ready_ns), MEMBER(schemoe_event, start_ns),
                MEMBER(schemoe_event, end_ns), MEMBER(schemoe_event, wait_ns)});
  out << ',';
  write_struct(out, "schemoe_program_header", sizeof(schemoe_program_header),
               {MEMBER(schemoe_program_header, magic), MEMBER(schemoe_program_header, abi_version),
                MEMBER(schemoe_program_header, ranks), MEMBER(schemoe_program_header, operations),
                MEMBER(schemoe_program_header, waits), MEMBER(schemoe_program_header, words),
                MEMBER(schemoe_program_header, names), MEMBER(schemoe_program_header, reserved)});
  out << ',';
  write_struct(out, "schemoe_operation", sizeof(schemoe_operation),
               {MEMBER(schemoe_operation, task), MEMBER(schemoe_operation, rank),
                MEMBER(schemoe_operation, lane), MEMBER(schemoe_operation, first_wait),
                MEMBER(schemoe_operation, waits), MEMBER(schemoe_operation, first_word),
                MEMBER(schemoe_operation, words), MEMBER(schemoe_operation, flags),
                MEMBER(schemoe_operation, seconds)});
  out << ',';
  write_struct(out, "schemoe_process", sizeof(schemoe_process),
               {MEMBER(schemoe_process, first_rank), MEMBER(schemoe_process, ranks), MEMBER(schemoe_process, port),
                MEMBER(schemoe_process, pid), MEMBER(schemoe_process, host)});
}

#undef MEMBER

/// OpenBLAS's own text, without what JSON would need escaped.
std::string blas() {
  std::string text;
  for (const char* c = openblas_get_config(); *c; ++c) {
    if (*c >= ' ' && *c != '"' && *c != '\\') text += *c;
  }
  return text;
}

}  // namespace

std::string describe() {
  std::ostringstream out;
  out << R"({"abi":)" << SCHEMOE_ABI_VERSION << R"(,"structs":{)";
  write_structs(out);
  out << R"(},"kernels":{)";
  const char* separator = "";
  for (const KernelSpec& spec : kernel_table()) {
    out << separator << '"' << spec.name << R"(":{"code":)" << spec.code << R"(,"args":")" << spec.letters << "\"}";
    separator = ",";
  }
  out << R"(},"features":{"cuda":)" << kCuda << R"(,"nvtx":)" << (has_nvtx() ? "true" : "false") << R"(,"blas":")" << blas() << "\"}}";
  return out.str();
}

}  // namespace schemoe
