#include "support/derived_check.h"

#include "audit/derived_tables.h"

namespace diskrelease {

std::vector<std::string> derived_differences_in(const std::filesystem::path& file) {
  Database database(file, Database::Access::read_write);
  return derived_differences(database);
}

}  // namespace diskrelease
