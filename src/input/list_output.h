#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "input/list_reader.h"

namespace diskrelease {

/// Where the readers of all formats put what they find.
class ListOutput {
 public:
  /// Both must outlive the output.
  ListOutput(ListSummary& summary, const TargetSink& sink) : summary_(summary), sink_(sink) {}

  /// Hands a valid id over; else says why it is none, and the caller reports it with its context.
  [[nodiscard]] std::optional<DiskIdProblem> take(std::int64_t line, std::string_view id);

  void problem(std::int64_t line, std::string text);

 private:
  ListSummary& summary_;
  const TargetSink& sink_;
};

/// "the disk id "a b" has a character outside ...".
[[nodiscard]] std::string describe_bad_id(std::string_view id, DiskIdProblem problem);

/// "text" in quotes, made visible and cut to a length fit for a message.
[[nodiscard]] std::string quote_text(std::string_view text);

/// Without the ASCII blanks (space and tab) at both ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text) noexcept;

}  // namespace diskrelease
