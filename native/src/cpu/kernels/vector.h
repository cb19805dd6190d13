// Marks a loop's function to be compiled for wider vectors too, chosen when the library is loaded.
#pragma once

// The results are the same either way: contraction to fused multiply-add is off. Sanitizers start
// after the choice is made, and would crash.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(SCHEMOE_SANITIZED)
#define SCHEMOE_VECTOR __attribute__((target_clones("default", "avx2")))
#else
#define SCHEMOE_VECTOR
#endif
