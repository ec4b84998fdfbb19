#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz_target.h"

// DISKRELEASE_FUZZ_FUNCTION is the function of fuzz_target.h that this executable runs.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  diskrelease::DISKRELEASE_FUZZ_FUNCTION(std::as_bytes(std::span(data, size)));
  return 0;
}
