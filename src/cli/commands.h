#pragma once

#include "cli/exit_code.h"
#include "cli/options.h"

namespace diskrelease {

/// One function a subcommand. Results go to standard output, messages and progress to standard
/// error. Each throws a member of the InvocationError family for what ends it early.

[[nodiscard]] ExitCode run_command(const Options& options);
[[nodiscard]] ExitCode resume_command(const Options& options);
[[nodiscard]] ExitCode settle_command(const Options& options);
[[nodiscard]] ExitCode status_command(const Options& options);
[[nodiscard]] ExitCode audit_show_command(const Options& options);
[[nodiscard]] ExitCode audit_log_command(const Options& options);
[[nodiscard]] ExitCode audit_explain_command(const Options& options);
[[nodiscard]] ExitCode audit_sql_command(const Options& options);
[[nodiscard]] ExitCode audit_verify_command(const Options& options);
[[nodiscard]] ExitCode audit_export_command(const Options& options);
[[nodiscard]] ExitCode audit_reconcile_command(const Options& options);
[[nodiscard]] ExitCode audit_backup_command(const Options& options);
[[nodiscard]] ExitCode audit_archive_command(const Options& options);
[[nodiscard]] ExitCode audit_stats_command(const Options& options);
[[nodiscard]] ExitCode report_command(const Options& options);
[[nodiscard]] ExitCode sandbox_command(const Options& options);

/// The whole program: finds the command and turns whatever it throws into a message and an exit
/// code.
[[nodiscard]] int run_program(int argc, const char* const* argv);

}  // namespace diskrelease
