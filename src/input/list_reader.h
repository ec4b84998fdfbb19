#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "model/job_spec.h"
#include "model/target.h"

namespace diskrelease {

/// One thing wrong with a list or a job file.
struct InputProblem {
  std::int64_t line = 0;  ///< 1-based; 0 = concerns the file as a whole
  std::string
      text;  ///< what is wrong and why; text from the file with control characters made visible
};

/// Problems beyond the first k_shown are counted, not kept: memory stays flat for any file.
class InputProblems {
 public:
  static constexpr std::size_t k_shown = 20;

  void add(InputProblem problem);

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::vector<InputProblem>& shown() const noexcept { return shown_; }

  /// "disks.csv:3: the disk id ..." a line each, then "... and N more problems" where there are
  /// more.
  [[nodiscard]] std::string describe(const std::string& source_name) const;

 private:
  std::int64_t count_ = 0;
  std::vector<InputProblem> shown_;
};

struct ListOptions {
  ListFormat format = ListFormat::automatic;
  std::optional<std::string> column;  ///< CSV header name, or a 1-based column number
};

/// What reading a list has shown.
struct ListSummary {
  ListFormat format =
      ListFormat::automatic;  ///< the format that was read; never automatic on success
  std::int64_t targets = 0;   ///< valid entries handed over, duplicates included
  InputProblems problems;     ///< not empty = the list must not be used
};

/// Called for each valid entry in file order.
using TargetSink = std::function<void(Target&&)>;

/// Reads a list from a stream to its end, and hands each valid entry to `sink` as it goes. Memory
/// does not grow with the stream. Goes on after a problem where it can, so that all of them are
/// found. What the sink was given counts only if the summary has no problem. An empty list is a
/// problem. Does not look for duplicates. `source_name` is used for format detection by extension
/// only. Exceptions of the sink pass through.
[[nodiscard]] ListSummary read_list(std::istream& in, const std::string& source_name,
                                    const ListOptions& options, const TargetSink& sink);

/// The same from a file, or from standard input for "-". A directory, a missing or an unreadable
/// file is a problem.
[[nodiscard]] ListSummary read_list_file(const std::string& path, const ListOptions& options,
                                         const TargetSink& sink);

}  // namespace diskrelease
