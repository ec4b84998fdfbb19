#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/run_record.h"
#include "simulation/simulation.h"
#include "simulation/world.h"
#include "store/database.h"

namespace diskrelease::simulation {

/// The evidence in a database, row by row, as text.
class Evidence {
 public:
  static Evidence read(Database& database);
  /// Which rows of `earlier` are changed or missing here.
  [[nodiscard]] std::vector<std::string> changed_since(const Evidence& earlier) const;

 private:
  std::map<std::string, std::string> rows_;  ///< "table key" -> columns
};

/// Holds what the server has really done against what the database says, after the last life.
/// `run_of_life[n]` is the place of the run that life n has worked on. `ended` = the last lives had
/// no faults, so nothing may be pending without a reason.
void check(Database& database, const ModelServer& server, const World& world,
           const std::vector<RunRecord>& runs, const std::vector<std::size_t>& run_of_life,
           Result& result);

}  // namespace diskrelease::simulation
