#include "input/list_reader.h"

#include <algorithm>
#include <array>
#include <istream>
#include <utility>

#include "input/byte_source.h"
#include "input/csv_list.h"
#include "input/input_file.h"
#include "input/json_list.h"
#include "input/line_reader.h"
#include "input/list_format.h"
#include "input/list_output.h"
#include "input/text_list.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

/// Files that are no text at all, told by their first bytes; empty for none of them.
std::string_view describe_binary(std::string_view beginning) noexcept {
  using namespace std::string_view_literals;
  static constexpr auto k_markup =
      "the file is HTML or XML, such as the page of a login or of an error; get the list as CSV or "
      "JSON"sv;
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 15> k_kinds = {{
      {"\xFF\xFE\0\0"sv,
       "the file is UTF-32 (it begins with the bytes FF FE 00 00); save it as UTF-8"},
      {"\xFF\xFE", "the file is UTF-16 (it begins with the bytes FF FE); save it as UTF-8"},
      {"\xFE\xFF", "the file is UTF-16 (it begins with the bytes FE FF); save it as UTF-8"},
      {"PK\x03\x04", "the file is a spreadsheet or a zip archive; export the list as CSV (UTF-8)"},
      {"\x1F\x8B", "the file is compressed with gzip; unpack it first"},
      {"BZh", "the file is compressed with bzip2; unpack it first"},
      {"\xFD"
       "7zXZ",
       "the file is compressed with xz; unpack it first"},
      {"\x28\xB5\x2F\xFD", "the file is compressed with zstd; unpack it first"},
      {"\xD0\xCF\x11\xE0", "the file is an old spreadsheet (xls); export the list as CSV (UTF-8)"},
      {"%PDF-", "the file is a PDF; get the list as CSV (UTF-8)"},
      {"SQLite format 3",
       "the file is an SQLite database; a list comes out of an audit database "
       "with: diskrelease audit show RUN --csv --db FILE"},
      {"<!DOCTYPE", k_markup},
      {"<html", k_markup},
      {"<?xml", k_markup},
      {"\xEF\xBB\xBF", "the file begins with two byte order marks (U+FEFF); remove one of them"},
  }};
  for (const auto& [signature, text] : k_kinds) {
    if (beginning.starts_with(signature)) return text;
  }
  // UTF-16 without a byte order mark, told by its zero bytes; an ASCII character is first.
  if (beginning.size() >= 4) {
    const auto zero = [&](std::size_t index) { return beginning[index] == '\0'; };
    if ((!zero(0) && zero(1) && !zero(2) && zero(3)) ||
        (zero(0) && !zero(1) && zero(2) && !zero(3))) {
      return "the file is UTF-16 without a byte order mark; save it as UTF-8";
    }
  }
  return "";
}

std::string_view describe_empty(ListFormat format) noexcept {
  switch (format) {
    case ListFormat::csv:
      return "the list holds no disk id, only a header or blank lines; check how it was made";
    case ListFormat::json:
      return "the list holds no disk id: its array is empty; check how it was made";
    case ListFormat::ndjson:
      return "the list holds no disk id, only blank lines; check how it was made";
    case ListFormat::text:
      return "the list holds no disk id, only comments or blank lines; check how it was made";
    case ListFormat::automatic:
      break;
  }
  return "the list is empty; check how it was made";
}

ListFormat choose_format(const ListOptions& options, const std::string& source_name,
                         std::string_view beginning) {
  if (options.format != ListFormat::automatic) return options.format;
  if (const auto by_name = format_of_name(source_name)) return *by_name;
  return format_of_content(beginning, options.column.has_value());
}

void read_format(ByteSource& source, const std::string& source_name, const ListOptions& options,
                 ListSummary& summary, const TargetSink& sink) {
  ListOutput output(summary, sink);
  const std::string_view beginning = source.block();
  LineReader lines(source);
  std::int64_t lines_read = 0;
  switch (summary.format) {
    case ListFormat::csv: {
      CsvOptions csv{options.column, std::nullopt};
      if (has_extension(source_name, "tsv")) csv.delimiter = '\t';
      read_csv_list(beginning, lines, csv, output);
      break;
    }
    case ListFormat::json:
      lines_read = read_json_list(source, output);
      break;
    case ListFormat::ndjson:
      read_ndjson_list(lines, output);
      break;
    case ListFormat::text:
    case ListFormat::automatic:
      read_text_list(beginning, lines, output);
      break;
  }
  output.finish();
  if (!source.failure().empty()) {
    lines_read = std::max(lines_read, lines.lines());
    output.problem(0, "reading failed after " + std::to_string(lines_read) +
                          (lines_read == 1 ? " line: " : " lines: ") + source.failure() +
                          "; the rest of the list is unknown, so none of it is used");
  }
}

ListSummary refused(std::string text) {
  ListSummary summary;
  summary.problems.add({0, std::move(text)});
  return summary;
}

}  // namespace

void InputProblems::add(InputProblem problem) {
  ++count_;
  if (shown_.size() < k_shown) shown_.push_back(std::move(problem));
}

std::string InputProblems::describe(const std::string& source_name) const {
  const std::string source = source_name == "-" ? "<stdin>" : visible(source_name);
  std::string text;
  for (const InputProblem& problem : shown_) {
    if (!text.empty()) text += '\n';
    text += source;
    if (problem.line > 0) text += ':' + std::to_string(problem.line);
    text += ": " + problem.text;
  }
  if (const std::int64_t more = count_ - static_cast<std::int64_t>(shown_.size()); more > 0) {
    text += "\n... and " + std::to_string(more) + (more == 1 ? " more problem" : " more problems");
  }
  return text;
}

ListSummary read_list(std::istream& in, const std::string& source_name, const ListOptions& options,
                      const TargetSink& sink) {
  ByteSource source(in, options.max_bytes);
  if (source.block().empty() && source.failure().empty()) {
    return refused(std::string(describe_empty(ListFormat::automatic)));
  }
  if (const auto binary = describe_binary(source.block()); !binary.empty()) {
    return refused(std::string(binary));
  }
  ListSummary summary;
  summary.format = choose_format(options, source_name, source.block());
  if (options.column && summary.format != ListFormat::csv) {
    summary.problems.add({0,
                          "a column was asked for, but the list is not read as CSV, the only "
                          "form with columns; leave the column out, or add --format csv"});
    return summary;
  }
  read_format(source, source_name, options, summary, sink);
  if (summary.targets == 0 && summary.problems.empty()) {
    summary.problems.add({0, std::string(describe_empty(summary.format))});
  }
  return summary;
}

ListSummary read_list_file(const std::string& path, const ListOptions& options,
                           const TargetSink& sink) {
  ListSummary summary;
  const std::string refusal = with_input_file(
      path, "list", [&](std::istream& in) { summary = read_list(in, path, options, sink); });
  return refusal.empty() ? std::move(summary) : refused(refusal);
}

}  // namespace diskrelease
