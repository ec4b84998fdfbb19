#include <csignal>
#include <iostream>

#include "cli/commands.h"
#include "model/errors.h"

namespace diskrelease {
namespace {

ExitCode dispatch_command(const Options& options) {
  const std::string& name = options.words.front();
  if (name == "run") return run_command(options);
  if (name == "resume") return resume_command(options);
  if (name == "settle") return settle_command(options);
  if (name == "status") return status_command(options);
  if (name == "audit show") return audit_show_command(options);
  if (name == "audit log") return audit_log_command(options);
  if (name == "audit explain") return audit_explain_command(options);
  if (name == "audit sql") return audit_sql_command(options);
  if (name == "audit verify") return audit_verify_command(options);
  if (name == "audit export") return audit_export_command(options);
  if (name == "audit reconcile") return audit_reconcile_command(options);
  if (name == "audit backup") return audit_backup_command(options);
  if (name == "audit archive") return audit_archive_command(options);
  if (name == "audit stats") return audit_stats_command(options);
  if (name == "report") return report_command(options);
  return sandbox_command(options);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  // Writing to a closed connection or pipe is an error to be told, not a reason to die.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  ExitCode code = ExitCode::internal_error;
  try {
    const Options options = parse_options(argc, argv);
    if (options.help) {
      std::cout << *options.help;
      code = ExitCode::done;
    } else {
      code = dispatch_command(options);
    }
    std::cout.flush();
    if (!std::cout) {
      std::cerr << "diskrelease: the output could not be written completely\n";
      if (code == ExitCode::done) code = ExitCode::internal_error;
    }
  } catch (const InvocationError& error) {
    std::cout.flush();
    std::cerr << "diskrelease: " << error.what() << '\n';
    code = exit_code_of(error);
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "diskrelease: internal error: " << error.what()
              << "\nThis is a bug. What was recorded stays valid; `diskrelease resume` goes on "
                 "from there.\n";
  }
  return static_cast<int>(code);
}

}  // namespace diskrelease
