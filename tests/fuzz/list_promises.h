#pragma once

#include <cstddef>
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

/// What stays when `blank` (spaces or line ends, which mean nothing in front of this list) makes
/// the list begin elsewhere in a block of the reader: everything but the lines, which go down by
/// `added_lines`.
void require_same_behind(const ListReading& reading, const std::string& text,
                         const std::string& blank, std::int64_t added_lines,
                         const std::string& name, const ListOptions& options);

/// A prefix length for require_same_behind() with which the end of a block falls into the text, at
/// a place that depends on the text.
[[nodiscard]] std::size_t blanks_to_a_block_end(const std::string& text);

}  // namespace diskrelease
