#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "cli/commands.h"
#include "cli/standard_output.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/process_start.h"

namespace diskrelease {
namespace {

/// What a command does when nobody reads its output any more.
enum class WithoutReader {
  ends,     ///< it only prints: SIGPIPE ends it like any filter (`audit log | head`)
  goes_on,  ///< it changes something, which is not to be cut short: the output is dropped
};

struct Command {
  std::string_view name;
  WithoutReader without_reader;
  ExitCode (*function)(const Options&);
};

constexpr auto k_commands = std::to_array<Command>({
    {"run", WithoutReader::goes_on, run_command},
    {"resume", WithoutReader::goes_on, resume_command},
    {"settle", WithoutReader::goes_on, settle_command},
    {"status", WithoutReader::ends, status_command},
    {"audit show", WithoutReader::ends, audit_show_command},
    {"audit log", WithoutReader::ends, audit_log_command},
    {"audit explain", WithoutReader::ends, audit_explain_command},
    {"audit sql", WithoutReader::ends, audit_sql_command},
    {"audit verify", WithoutReader::ends, audit_verify_command},
    {"audit export", WithoutReader::goes_on, audit_export_command},
    {"audit reconcile", WithoutReader::ends, audit_reconcile_command},
    {"audit backup", WithoutReader::goes_on, audit_backup_command},
    {"audit archive", WithoutReader::goes_on, audit_archive_command},
    {"audit stats", WithoutReader::ends, audit_stats_command},
    {"report", WithoutReader::goes_on, report_command},
    {"sandbox", WithoutReader::goes_on, sandbox_command},
});

/// parse_options() lets no other name through.
const Command& command_of(const Options& options) {
  return *std::ranges::find(k_commands, options.words.front(), &Command::name);
}

/// Prints why the command has ended early.
template <class Do>
ExitCode exit_code_after(const Do& act) {
  try {
    return act();
  } catch (const InvocationError& error) {
    std::cout.flush();
    std::cerr << "diskrelease: " << error.what() << '\n';
    return exit_code_of(error);
  } catch (const std::filesystem::filesystem_error& error) {
    // As a working directory that was removed.
    std::cout.flush();
    std::cerr << "diskrelease: " << visible(error.what()) << '\n';
    return ExitCode::internal_error;
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "diskrelease: internal error: " << error.what()
              << "\nThis is a bug. What was recorded stays valid; `diskrelease resume` goes on "
                 "from there.\n";
    return ExitCode::internal_error;
  }
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  prepare_process();
  StandardOutput output;
  WithoutReader without_reader = WithoutReader::ends;
  const ExitCode code = exit_code_after([&] {
    const Options options = parse_options(argc, argv);
    if (options.help) {
      std::cout << *options.help;
      return ExitCode::done;
    }
    const Command& command = command_of(options);
    without_reader = command.without_reader;
    if (without_reader == WithoutReader::goes_on) ignore_broken_pipes();
    return command.function(options);
  });
  const int error = output.finish();
  // The reader has gone on purpose; what was asked for is done.
  if (error == 0 || (error == EPIPE && without_reader == WithoutReader::goes_on)) {
    return static_cast<int>(code);
  }
  std::cerr << "diskrelease: standard output could not be written completely: "
            << std::generic_category().message(error) << '\n';
  return static_cast<int>(code == ExitCode::done ? ExitCode::internal_error : code);
}

}  // namespace diskrelease
