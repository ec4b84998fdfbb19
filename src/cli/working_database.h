#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "evidence/anchor_file.h"
#include "model/run_record.h"
#include "platform/file_lock.h"
#include "store/database.h"

namespace diskrelease {

/// What a person has accepted with --accept-rollback: to be recorded in the run that is worked on.
struct AcceptedRollback {
  DecisionRecord decision;
  /// Anchor files that name what is lost: each gets an anchor of what goes on.
  std::vector<std::filesystem::path> anchor_files;
};

/// The audit database of a command that adds to it. The locks go last: the kernel drops those of
/// SQLite with the first descriptor of the file that is closed.
struct WorkingDatabase {
  std::vector<FileLock> locks;
  std::shared_ptr<AnchorWriter> anchors;
  std::optional<AcceptedRollback> rollback;
  Database database;
};

enum class MayCreate { no, yes };

/// Opens the database that the options name, as the only process that works on it, and only if it
/// is the one that it was: what its anchors name is in it, and it is no copy of another one. Makes
/// it first where it may and nothing speaks of one that was lost. Nothing is written before that is
/// known.
///
/// Throws LockHeld, naming the holder; AuditUnusable; GateRefused for an --accept-rollback without
/// a rollback.
[[nodiscard]] WorkingDatabase open_to_work(const Options& options, std::string_view command,
                                           MayCreate may_create);

/// What a reader is told of a database that is not the one that it was, as warnings on standard
/// error. Nothing for a sealed archive.
void warn_of_displacement(const Options& options, Database& database);

}  // namespace diskrelease
