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
  /// Counts problems beyond those that were kept.
  void add_unseen(std::int64_t count) { count_ += count; }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::vector<InputProblem>& shown() const noexcept { return shown_; }

  /// "disks.csv:3: the disk id ..." a line each, "disks.csv: ..." where no line is concerned, then
  /// "... and N more problems" where there are more. No line end at the end. The source "-" is
  /// called <stdin>.
  [[nodiscard]] std::string describe(const std::string& source_name) const;

 private:
  std::int64_t count_ = 0;
  std::vector<InputProblem> shown_;
};

struct ListOptions {
  ListFormat format = ListFormat::automatic;
  std::optional<std::string> column;              ///< CSV header name, or a 1-based column number
  std::int64_t max_bytes = k_default_list_bytes;  ///< a longer list is a problem
};

/// What reading a list has shown.
struct ListSummary {
  ListFormat format =
      ListFormat::automatic;  ///< the format that was read; never automatic on success
  std::int64_t targets = 0;   ///< valid entries handed over, duplicates included
  InputProblems problems;     ///< not empty = the list must not be used
  InputProblems notes;  ///< what was left out of a list that may be used, such as a second header
};

/// Called for each valid entry in file order.
using TargetSink = std::function<void(Target&&)>;

/// Forms that are read:
/// - CSV (RFC 4180, UTF-8 with or without a byte order mark). The delimiter is comma, semicolon or
///   tab, found in the first row (always tab for *.tsv), or what a first line "sep=;" names. The
///   column of the ids is the one asked for, else the one named diskId, disk_id or "disk id" in any
///   case, else the one named id, else the only one. The first row is a header if a cell of it is
///   such a name or the name asked for. Cells behind the id may be missing, empty cells may follow;
///   blank lines, rows of empty cells, comments (#) before the first row and the very header again
///   are left out. A cell may keep its id in a spreadsheet's form: ="862..", or '862..
/// - JSON: one or more values, one after the other. Each is an array of entries; an object with
///   such an array under disks, diskIds or dataSet; a saved DescribeDisks answer; or an entry.
///   Saved pages of an answer must be complete by their totalCount. An entry is a string, an object
///   with one member named as in CSV (not id), or a whole number up to 2^53: above it, many
///   programs have already changed the number.
/// - NDJSON: one entry a line; blank lines are left out.
/// - Text: one id a line; # at the beginning or after a blank begins a comment; blank lines are
///   left out, and so is a first line that is the name of the column. Or a table as this program
///   prints it, with a column disk_id: what stands above the table is left out.
/// Lines end with LF, CRLF, CR CR LF, or all of them with CR.
///
/// ASCII blanks (space and tab) around an id are left out in CSV, inside quotes too, and in text:
/// no id holds a blank, and spreadsheets and editors add them unseen. In a JSON string they are
/// part of the id, which is then refused: a program wrote it, and meant it.
///
/// Refused besides what is malformed: see DiskId::parse_entry() and IdShapes.
///
/// The format is the one asked for, else by the extension (csv, tsv, json, ndjson, jsonl, txt,
/// list; in any case), else by the beginning of the content.
///
/// A line, a row with its quoted line ends, and a JSON string may be 1 MiB long; JSON may be nested
/// 64 deep.
///
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
