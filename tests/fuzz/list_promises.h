#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "input/list_reader.h"

namespace diskrelease {

/// All that reading a list has given.
struct ListReading {
  ListSummary summary;
  std::vector<std::pair<std::int64_t, std::string>> targets;  ///< line and id

  [[nodiscard]] bool accepted() const noexcept { return summary.problems.empty(); }
};

/// Reads a list and checks what list_reader.h promises of any list; among it that the bytes may
/// come in pieces of any size.
[[nodiscard]] ListReading read_list_checked(const std::string& text, const std::string& name,
                                            const ListOptions& options);

/// Spaces in front of a list mean nothing, but make it begin elsewhere in a block of the reader: as
/// many of them are put there as let the end of a block fall into the text, at a place that depends
/// on the text. Done for one text of four, since it takes longer than all the rest, and not for a
/// text whose beginning has to be the beginning.
void require_same_behind_blanks(const ListReading& reading, const std::string& text,
                                const std::string& name, const ListOptions& options);

}  // namespace diskrelease
