#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diskrelease {

/// How the derived tables of a database differ from its evidence, as they lie in the file: opening
/// it the ordinary way would make tables that are behind anew.
[[nodiscard]] std::vector<std::string> derived_differences_in(const std::filesystem::path& file);

/// The same, and in what way the file is not as it was written.
[[nodiscard]] std::vector<std::string> record_problems_in(const std::filesystem::path& file);

}  // namespace diskrelease
