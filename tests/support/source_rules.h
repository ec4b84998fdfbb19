#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diskrelease {

/// One source file: its path from the root of the project ("src/model/disk_id.h") and its text.
struct SourceFile {
  std::string path;
  std::string text;
};

/// The rules, for whoever has broken one.
[[nodiscard]] std::string_view source_rules() noexcept;

/// Everything in these files that breaks a rule, as "src/net/http.cpp:12: what, and why"; in the
/// order of files and lines. Reads nothing but its argument.
[[nodiscard]] std::vector<std::string> source_findings(std::span<const SourceFile> files);

}  // namespace diskrelease
