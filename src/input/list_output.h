#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "input/id_shapes.h"
#include "input/list_reader.h"

namespace diskrelease {

/// Where the readers of all formats put what they find.
class ListOutput {
 public:
  /// Both must outlive the output.
  ListOutput(ListSummary& summary, const TargetSink& sink) : summary_(summary), sink_(sink) {}

  /// Hands a valid id over; else says why it is none, and the caller reports it with its context.
  /// `hint` is added should the rest of the list show that it is none after all.
  [[nodiscard]] std::optional<DiskIdProblem> take(std::int64_t line, std::string_view id,
                                                  std::string_view hint = {});

  void problem(std::int64_t line, std::string text);

  /// Something that was left out or understood in one of several ways, for the operator to see.
  void note(std::int64_t line, std::string text);

  /// Call once, after the last entry: reports what only the whole list shows.
  void finish();

 private:
  ListSummary& summary_;
  const TargetSink& sink_;
  IdShapes shapes_;
};

/// "the disk id "a b" has a character outside ...".
[[nodiscard]] std::string describe_bad_id(std::string_view id, DiskIdProblem problem);

/// "U+00A0 (no-break space)" for the first character of a text that shows nothing or is no ASCII;
/// empty if it is another one.
[[nodiscard]] std::string name_odd_character(std::string_view text);

/// The same for a character that shows nothing and stands beside a quote, where CSV allows none.
[[nodiscard]] std::string name_character_beside_quote(std::string_view line);

/// What to do if the text comes from a table drawn with lines; empty if it does not.
[[nodiscard]] std::string hint_for_drawing(std::string_view text);

/// "text" in quotes, made visible and cut to a length fit for a message. A character that shows
/// nothing is named: <U+00A0>.
[[nodiscard]] std::string quote_text(std::string_view text);

/// Without the ASCII blanks (space and tab) at both ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text) noexcept;

}  // namespace diskrelease
