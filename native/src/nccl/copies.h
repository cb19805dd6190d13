// Copies of NCCL's library, one for each emulated node.
#pragma once

#include <cstdint>
#include <string>

#include "nccl/library.h"

namespace schemoe::nccl {

/// The library of a node. NCCL asks for the host's name once for each copy that is loaded, so that a
/// copy of its own, which was told another name, is another host for it. Copies stay loaded and are used
/// again. Must not be called while another copy makes its first communicator.
const Library& copy_for_node(const std::string& path, uint32_t node);

}  // namespace schemoe::nccl
