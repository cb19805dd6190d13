#include "runtime/nvtx_ranges.h"

#ifdef SCHEMOE_WITH_NVTX
#include <nvtx3/nvToolsExt.h>

#include "runtime/failure.h"
#endif

namespace schemoe {

#ifdef SCHEMOE_WITH_NVTX

namespace {

/// Categories are numbered from 1: computation on each lane, then communication on each.
uint32_t category_of(const Operation& operation) {
  return 1 + operation.lane + (operation.communication ? kLanes : 0);
}

/// Made by the first range of the process, which is when a tool is loaded.
nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t made = [] {
    const nvtxDomainHandle_t fresh = nvtxDomainCreateA("schemoe");
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      nvtxDomainNameCategoryA(fresh, 1 + lane, join("computation, ", kLaneNames[lane], " lane").c_str());
      nvtxDomainNameCategoryA(fresh, 1 + kLanes + lane, join("communication, ", kLaneNames[lane], " lane").c_str());
    }
    return fresh;
  }();
  return made;
}

}  // namespace

bool has_nvtx() { return true; }

void NvtxRanges::push(const Operation* operation) {
  nvtxEventAttributes_t range{};
  range.version = NVTX_VERSION;
  range.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  range.messageType = NVTX_MESSAGE_TYPE_ASCII;  // UTF-8 for all tools
  range.message.ascii = program_.names[operation ? operation->task + size_t{1} : 0].c_str();
  if (operation) {
    range.category = category_of(*operation);
    range.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    range.payload.ullValue = operation->rank;
  }
  nvtxDomainRangePushEx(domain(), &range);
  ++open_;
}

void NvtxRanges::pop() { nvtxDomainRangePop(domain()); }

#else

bool has_nvtx() { return false; }

// No Program with names is prepared.
void NvtxRanges::push(const Operation*) {}
void NvtxRanges::pop() {}

#endif

}  // namespace schemoe
