#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/job_spec.h"

namespace diskrelease {

/// Reads job files and the user's configuration file; both have the form described in
/// schema/job.schema.json.
struct JobFile {
  JobSettings settings;  ///< meaningful only without problems; relative paths are made absolute
  std::vector<std::string> problems;  ///< "nightly.json: $.rate.per_second: ...", all of them
};

enum class JobFileKind {
  job,          ///< `list` is required
  user_config,  ///< `list` and `name` are not allowed
};

/// Never throws for what a file holds or lacks; problems say what, where (JSON path), and name the
/// likely key for a misspelt one. Relative paths inside are taken relative to the folder of the
/// file. A list of "-" stays as it is.
[[nodiscard]] JobFile read_job_file(const std::filesystem::path& path, JobFileKind kind);

/// Whether a file is a job file rather than a list: its first JSON value is an object with a "list"
/// key. Files that cannot be read are not.
[[nodiscard]] bool is_job_file(const std::filesystem::path& path);

}  // namespace diskrelease
