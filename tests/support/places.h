#pragma once

#include <filesystem>
#include <string>

namespace diskrelease {

/// The folder of the sources, and the program as built. Defined in one file, so that a compiler
/// cache serves several checkouts: no other source file depends on where the checkout lies.
[[nodiscard]] std::filesystem::path source_folder();
[[nodiscard]] std::string built_program();

}  // namespace diskrelease
