// What library.h copies from nccl.h, compared with it where it is installed.
#include "nccl/library.h"

#if __has_include(<nccl.h>)
#include <nccl.h>

#include "runtime/same_abi.h"

namespace schemoe::nccl {

static_assert(kSuccess == ncclSuccess && kInProgress == ncclInProgress && kUint8 == ncclUint8);
static_assert(kUndefined == NCCL_CONFIG_UNDEF_INT);
static_assert(sizeof(Id) == sizeof(ncclUniqueId));

// Later versions have more members after these, and know an older configuration by its size.
static_assert(sizeof(Config) <= sizeof(ncclConfig_t));
#define SAME(own, vendors) static_assert(offsetof(Config, own) == offsetof(ncclConfig_t, vendors))
SAME(size, size);
SAME(magic, magic);
SAME(version, version);
SAME(blocking, blocking);
SAME(cga_cluster_size, cgaClusterSize);
SAME(min_ctas, minCTAs);
SAME(max_ctas, maxCTAs);
SAME(net_name, netName);
SAME(split_share, splitShare);
#undef SAME

#define CALLED_LIKE(member, function) static_assert(kSameAbi<decltype(Library::member), decltype(&function)>)
CALLED_LIKE(get_version, ncclGetVersion);
CALLED_LIKE(error_string, ncclGetErrorString);
CALLED_LIKE(last_error, ncclGetLastError);
CALLED_LIKE(unique_id, ncclGetUniqueId);
CALLED_LIKE(init, ncclCommInitRankConfig);
CALLED_LIKE(destroy, ncclCommDestroy);
CALLED_LIKE(abort, ncclCommAbort);
CALLED_LIKE(async_error, ncclCommGetAsyncError);
CALLED_LIKE(send, ncclSend);
CALLED_LIKE(receive, ncclRecv);
CALLED_LIKE(group_start, ncclGroupStart);
CALLED_LIKE(group_end, ncclGroupEnd);
#undef CALLED_LIKE

}  // namespace schemoe::nccl
#endif
