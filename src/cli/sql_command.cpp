#include <unistd.h>

#include <chrono>
#include <iostream>
#include <sstream>
#include <utility>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "input/descriptor_buffer.h"
#include "model/errors.h"
#include "platform/clock.h"
#include "queries/sql_question.h"
#include "report/rows.h"
#include "report/table.h"

namespace diskrelease {
namespace {

constexpr std::int64_t k_usual_rows = 100'000;
constexpr std::chrono::seconds k_usual_time(60);
constexpr std::size_t k_longest_query = 1'000'000;

std::string query_of(const Options& options) {
  if (options.words.size() != 2) {
    throw UsageError(
        "audit sql needs one QUERY, in quotes (-: from standard input)\n"
        "See: diskrelease audit sql --help");
  }
  std::string query = options.words[1];
  if (query == "-") {
    DescriptorBuffer buffer(STDIN_FILENO);
    std::istream in(&buffer);
    std::ostringstream text;
    text << in.rdbuf();
    query = std::move(text).str();
  }
  if (query.size() > k_longest_query) throw UsageError("the query is longer than 1 MB");
  return query;
}

}  // namespace

ExitCode audit_sql_command(const Options& options) {
  const std::string query = query_of(options);
  Database database = open_evidence(options);
  const SystemClock clock;
  const SteadyTime end = clock.steady_now() + options.settings.timeout.value_or(k_usual_time);
  SqlQuestion question(database, query, [&] { return clock.steady_now() >= end; });
  const std::vector<std::string> columns = question.columns();
  Table table(std::cout, options.table_format(), columns);
  const std::int64_t most = options.limit.value_or(k_usual_rows);
  bool cut = false;
  try {
    for (std::int64_t rows = 0; question.step() && std::cout.good(); ++rows) {
      if (rows == most) {
        cut = true;
        break;
      }
      std::vector<Cell> cells;
      cells.reserve(columns.size());
      for (std::size_t i = 0; i < columns.size(); ++i) {
        cells.push_back(cell_of(question.row(), static_cast<int>(i)));
      }
      table.add(std::move(cells));
    }
  } catch (const InvocationError&) {
    // What was printed before the time was over is whole.
    table.finish();
    throw;
  }
  table.finish();
  if (cut) {
    std::cout.flush();
    std::cerr << "diskrelease: these are the first " << most
              << " rows, there are more; --limit N shows more of them\n";
  }
  return ExitCode::done;
}

}  // namespace diskrelease
