#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "model/job_spec.h"

namespace diskrelease {

/// A job file beyond this is a mistake: one with every key has less than 1 KiB.
inline constexpr std::size_t k_max_job_file_bytes = 1u << 20;

/// Reads job files and the user's configuration file; both have the form described in
/// schema/job.schema.json.
struct JobFile {
  JobSettings settings;               ///< meaningful only without problems; paths are absolute
  std::vector<std::string> problems;  ///< "nightly.json: $.rate.per_second: ...", all of them
};

enum class JobFileKind {
  job,          ///< `list` is required
  recorded,     ///< as write_settings() made it: every key may be missing
  user_config,  ///< `list` and `name` are not allowed
};

/// Never throws for what a file holds or lacks; problems say what, where (JSON path; line and
/// column of a syntax error), and name the likely key for a misspelt one. Keys that would hold a
/// secret are refused, and no problem repeats their value. Settings are checked with
/// check_settings().
///
/// Paths inside (list, credentials_file, ca_file) are taken relative to the folder of the file,
/// and "~/" at their beginning is $HOME. A list of "-" stays as it is.
[[nodiscard]] JobFile read_job_file(const std::filesystem::path& path, JobFileKind kind);

/// The same from a text, for settings that were recorded; paths stay as they are.
[[nodiscard]] JobFile read_settings(const std::string& text, const std::string& source_name);

/// Settings in the form of a job file, on one line: what read_settings() reads back to the same. A
/// password in the proxy's URL is left out, and then the user name too.
[[nodiscard]] std::string write_settings(const JobSettings& settings);

/// Whether a file is a job file rather than a list: its first JSON value is an object with a "list"
/// key. What cannot be read is not, and neither is "-" or anything but a regular file: looking at a
/// pipe would eat the list. Reads at most k_max_job_file_bytes.
[[nodiscard]] bool is_job_file(const std::filesystem::path& path);

}  // namespace diskrelease
