#include "runtime/describe.h"

#include <cblas.h>

#include <cstddef>
#include <sstream>

#include "codecs/table.h"
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
                MEMBER(schemoe_program_header, names), MEMBER(schemoe_program_header, regions)});
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
  out << ',';
  write_struct(out, "schemoe_failure", sizeof(schemoe_failure),
               {MEMBER(schemoe_failure, status), MEMBER(schemoe_failure, task), MEMBER(schemoe_failure, rank),
                MEMBER(schemoe_failure, buffer), MEMBER(schemoe_failure, text), MEMBER(schemoe_failure, unfinished)});
}

#undef MEMBER

struct Number {
  const char* name;
  uint64_t value;
};

void write_enum(std::ostream& out, const char* name, std::initializer_list<Number> numbers) {
  out << '"' << name << R"(":{)";
  const char* separator = "";
  for (const Number& number : numbers) {
    out << separator << '"' << number.name << "\":" << number.value;
    separator = ",";
  }
  out << '}';
}

#define NUMBER(name) \
  Number { #name, static_cast<uint64_t>(name) }

/// All numbered constants of the header, by their names there.
void write_enums(std::ostream& out) {
  write_enum(out, "schemoe_status",
             {NUMBER(SCHEMOE_OK), NUMBER(SCHEMOE_INVALID), NUMBER(SCHEMOE_OUT_OF_MEMORY), NUMBER(SCHEMOE_CANCELLED),
              NUMBER(SCHEMOE_TIME_LIMIT), NUMBER(SCHEMOE_HOST_FAILED), NUMBER(SCHEMOE_UNSUPPORTED),
              NUMBER(SCHEMOE_DEVICE), NUMBER(SCHEMOE_CLOSED), NUMBER(SCHEMOE_BUSY), NUMBER(SCHEMOE_PEER),
              NUMBER(SCHEMOE_NOT_FINITE), NUMBER(SCHEMOE_NO_ROOM)});
  out << ',';
  write_enum(out, "schemoe_engine_kind", {NUMBER(SCHEMOE_CPU), NUMBER(SCHEMOE_CUDA)});
  out << ',';
  write_enum(out, "schemoe_flag",
             {NUMBER(SCHEMOE_TF32), NUMBER(SCHEMOE_NO_GRAPHS), NUMBER(SCHEMOE_NO_TIMES), NUMBER(SCHEMOE_NO_TUNING)});
  out << ',';
  write_enum(out, "schemoe_operation_flag", {NUMBER(SCHEMOE_COMMUNICATION), NUMBER(SCHEMOE_CHECK_NUMBERS)});
  out << ',';
  write_enum(out, "schemoe_lane", {NUMBER(SCHEMOE_COMPUTE), NUMBER(SCHEMOE_INTRA), NUMBER(SCHEMOE_INTER)});
  out << ',';
  write_enum(out, "schemoe_dtype", {NUMBER(SCHEMOE_F32), NUMBER(SCHEMOE_BF16)});
  out << ',';
  write_enum(out, "schemoe_activation",
             {NUMBER(SCHEMOE_IDENTITY), NUMBER(SCHEMOE_RELU), NUMBER(SCHEMOE_GELU), NUMBER(SCHEMOE_GELU_TANH),
              NUMBER(SCHEMOE_SILU), NUMBER(SCHEMOE_RELU_SQUARED), NUMBER(SCHEMOE_CLAMPED_SWIGLU),
              NUMBER(SCHEMOE_LIMITED_SWIGLU)});
  out << ',';
  write_enum(out, "constants", {NUMBER(SCHEMOE_NONE), NUMBER(SCHEMOE_PROGRAM_MAGIC)});
}

#undef NUMBER

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
  out << R"(},"enums":{)";
  write_enums(out);
  out << R"(},"kernels":{)";
  const char* separator = "";
  for (const KernelSpec& spec : kernel_table()) {
    out << separator << '"' << spec.name << R"(":{"code":)" << spec.code << R"(,"args":")" << spec.letters << "\"}";
    separator = ",";
  }
  out << R"(},"codecs":{)";
  separator = "";
  for (const CodecSpec& spec : codec_table()) {
    out << separator << '"' << spec.name << R"(":{"least":)" << spec.least << R"(,"most":)"
        << spec.most << R"(,"random":)" << (spec.random ? "true" : "false") << '}';
    separator = ",";
  }
  out << R"(},"features":{"cuda":)" << kCuda << R"(,"nvtx":)" << (has_nvtx() ? "true" : "false") << R"(,"blas":")" << blas() << "\"}}";
  return out.str();
}

}  // namespace schemoe
