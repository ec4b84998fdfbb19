#include "support/places.h"

namespace diskrelease {

std::filesystem::path source_folder() { return DISKRELEASE_SOURCE_DIR; }
std::string built_program() { return DISKRELEASE_BINARY; }

}  // namespace diskrelease
