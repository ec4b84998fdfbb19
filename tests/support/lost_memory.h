#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diskrelease {

/// What the end of a boot does to the marks in a folder.
inline void lose_marks(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> lost;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("diskrelease-unsent-")) {
      lost.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& file : lost) std::filesystem::remove(file);
}

}  // namespace diskrelease
