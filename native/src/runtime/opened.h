// Engines that threads opened. A JavaScript worker may be ended in the middle of anything, and no code of its own runs
// then: its thread ends, and with it what that one opened.
#pragma once

#include "schemoe.h"

namespace schemoe {

/// The engine is closed when this thread ends, which ends a run of it; the end of the process closes nothing.
void close_with_thread(schemoe_engine* engine);

/// It is closed.
void forget_with_thread(const schemoe_engine* engine) noexcept;

}  // namespace schemoe
