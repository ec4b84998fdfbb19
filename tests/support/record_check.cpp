#include "support/record_check.h"

#include "custody/verification.h"
#include "derived/derived_tables.h"

namespace diskrelease {

std::vector<std::string> derived_differences_in(const std::filesystem::path& file) {
  Database database(file, Database::Access::read_write);
  return derived_differences(database);
}

std::vector<std::string> record_problems_in(const std::filesystem::path& file) {
  Database database(file, Database::Access::read_write);
  std::vector<std::string> problems = derived_differences(database);
  for (const std::string& problem : verify_audit(database, {}).problems) {
    problems.push_back(problem);
  }
  return problems;
}

}  // namespace diskrelease
