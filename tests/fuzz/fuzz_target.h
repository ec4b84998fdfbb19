#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace diskrelease {

using FuzzInput = std::span<const std::byte>;

// One function a kind of input from outside. Each takes any bytes whatever and ends the process
// with finding() where what came of them breaks a promise of a header. Each is run by libFuzzer
// (entry.cpp, built with the preset "fuzz") and, with the files of corpus/, by the tests.

/// A list as CSV: with the delimiter found and as *.tsv, with and without a column asked for.
void fuzz_csv_list(FuzzInput input);
/// A list as JSON, as NDJSON, as text and in whatever format it looks like.
void fuzz_json_list(FuzzInput input);
/// A job file, a user's configuration and recorded settings.
void fuzz_job_file(FuzzInput input);
/// An answer to ReleaseDisk: see answer_bytes.h.
void fuzz_release_answer(FuzzInput input);
/// An answer to DescribeDisks: see answer_bytes.h.
void fuzz_describe_answer(FuzzInput input);

/// An export of the provider's log, and what comes of holding it against a record.
void fuzz_provider_log(FuzzInput input);

/// Prints what is wrong and aborts: for libFuzzer the sign that this input is to be kept.
[[noreturn]] void finding(const std::string& what);

/// finding(what) unless `holds`.
void require(bool holds, std::string_view what);

/// Ends the process unless the text can be printed on one line: UTF-8, nothing that
/// model/visible_text.h writes as \xNN, at most `max_bytes` long.
void require_visible(std::string_view text, std::size_t max_bytes, std::string_view what);

[[nodiscard]] inline std::string text_of(FuzzInput input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

}  // namespace diskrelease
